{{ config(materialized='incremental', tags=['YEARLY']) }}
{% if is_incremental() %}
select {{ var('yr') }} as yr, id, (amount * (1 + {{ var('rate') }}))::double as amount, label
from {{ this }} where yr = {{ var('yr') }} - 1
{% else %}
select {{ var('yr') }} as yr, id, amount::double as amount, label from {{ ref('base') }}
{% endif %}
