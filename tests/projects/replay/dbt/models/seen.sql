{{ config(materialized='view', tags=['PLAIN']) }}
select yr, amount, {{ dbt.concat(["'year '", "cast(yr as varchar)"]) }} as label from {{ ref('promised') }}
