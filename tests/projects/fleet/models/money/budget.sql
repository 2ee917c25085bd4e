{{ config(materialized='table') }}
select fiscal, sum(cost) as cost, (select count(*) from {{ ref('worn') }} w where w.fiscal = u.fiscal) as worn
from {{ ref('upkeep') }} u group by fiscal
