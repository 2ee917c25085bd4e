{{ config(materialized='incremental', incremental_strategy='append', tags=['BALANCE'], on_schema_change='fail') }}
with before as (
    select lake, start_level as level from {{ ref('lake_shape') }}
    where {{ var('water_year') }} = {{ var('start_year') }}
    union all
    select lake, level from {{ source('last_year', 'lake_level') }} where water_year = {{ var('water_year') }} - 1
)
select
    cast(b.lake as varchar) as lake,
    cast({{ var('water_year') }} as integer) as water_year,
    cast(b.level * 0.9 + sum(i.volume) as decimal(18, 4)) as level
from before b
join {{ ref('inflow') }} i on i.lake = b.lake and i.water_year = {{ var('water_year') }}
group by b.lake, b.level
