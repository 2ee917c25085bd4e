{{ config(materialized='table', tags=['FOUNDATION'], meta={'min_rows': 1}) }}
select lake, start_level, area, area * 2 as shore from {{ ref('lakes') }}
