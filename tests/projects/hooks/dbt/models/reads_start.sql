{{ config(materialized='incremental') }}
-- {{ ref('becomes_temporary') }}
select {{ var('yr') }} as yr, id from start
