{{ config(materialized='view', tags=['FOUNDATION']) }}
select month, depth * {{ var('rain_factor') }} as depth from {{ ref('rain') }}
