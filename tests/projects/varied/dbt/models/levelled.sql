{{ config(materialized='table', tags=['YEARLY'], meta={'level': var('level')}) }}
select {{ config.get('meta')['level'] }} as level
