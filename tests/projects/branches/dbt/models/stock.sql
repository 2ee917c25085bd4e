{{ config(
    materialized='incremental', incremental_strategy='append', tags=['STOCKS'],
    pre_hook="create table if not exists told as select 0 as yr",
    post_hook=["insert into told values ({{ var('yr') }})"]
) }}
{% set is_first = var('yr') | int == var('first_yr') | int %}
with before as ({{ opening_stock() }})
select {{ var('yr') }} as yr, before.kind,
    before.stock {% if not is_first %} * rates.rate {% endif %} as stock
from before
{% if not is_first %} join {{ ref('rates') }} as rates using (kind) {% endif %}
