{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['depot', 'fiscal']) }}
select s.depot, s.fiscal, sum(s.age * {{ var('wear') }}) + any_value(r.rent) as cost
from {{ ref('stock') }} s join {{ ref('rates') }} r using (depot)
where s.fiscal = {{ var('period') }}
group by s.depot, s.fiscal
