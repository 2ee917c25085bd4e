{{ config(tags=['CHECKS']) }}
select * from {{ ref('lake_level') }} where water_year = {{ var('water_year') }} and level <= 0
