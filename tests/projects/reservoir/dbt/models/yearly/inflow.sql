{{ config(materialized='incremental', incremental_strategy='append', tags=['FLOWS']) }}
select l.lake, r.month, r.depth * l.area as volume, {{ var('water_year') }} as water_year
from {{ ref('lake_shape') }} l cross join {{ ref('stg_rain') }} r
