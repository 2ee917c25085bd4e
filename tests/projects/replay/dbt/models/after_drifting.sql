{{ config(materialized='table') }}
select yr, sum(id) as ids from {{ ref('drifting') }} group by yr
