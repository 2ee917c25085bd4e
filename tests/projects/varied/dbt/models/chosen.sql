{{ config(materialized='table', tags=['YEARLY']) }}
select * from {{ ref(var('which')) }}
