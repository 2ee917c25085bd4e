{{ config(materialized='table', alias='of_year_' ~ var('yr'), tags=['BUILD']) }}
select {{ var('yr') }} as yr
