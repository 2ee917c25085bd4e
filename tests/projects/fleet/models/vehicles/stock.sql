{{ config(materialized='incremental', incremental_strategy='append') }}

with kept as (
    {% if var('period') == var('opening') %}
    select 'N-0' as plate, 'north' as depot, 4 as age
    {% else %}
    select plate, depot, age + 1 as age from {{ this }}
    where fiscal = {{ this_period() }} - 1 and age < 5
    {% endif %}
)
select plate, depot, age, {{ this_period() }} as fiscal from kept
union all
select plate, depot, 0, {{ this_period() }} from {{ ref('purchases') }} where bought = {{ this_period() }}
