

{{ config(materialized='incremental', incremental_strategy='merge', unique_key='tree') }}
select p.tree, p.size * {{ var('share') }} + {{ var('bonus') }} as size, {{ var('season') }} as season
from {{ ref('plots') }} p join {{ source('outside', 'frost') }} f on f.season = {{ var('season') }}
{% if var('season') != '2040' %}
join {{ source('before', 'crop') }} c on c.tree = p.tree and c.season = {{ var('season') }} - 1
{% endif %}
