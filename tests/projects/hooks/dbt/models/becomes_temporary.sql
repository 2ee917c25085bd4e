{{ config(materialized='table', post_hook="{% if var('yr') < 4 %}select 1{% else %}create temp table start as select 99 as id{% endif %}") }}
select {{ var('yr') }} as yr, id from {{ ref('start') }}
