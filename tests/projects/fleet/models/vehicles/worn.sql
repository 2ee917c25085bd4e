{{ config(
    materialized='incremental', incremental_strategy='merge', unique_key=['plate', 'fiscal'],
    indexes=[{'columns': ['plate']}]
) }}
select s.plate, s.fiscal, s.age, u.cost as depot_cost
from {{ ref('stock') }} s join {{ ref('upkeep') }} u on u.depot = s.depot and u.fiscal = s.fiscal
where s.fiscal = {{ var('period') }} and s.age >= 2
