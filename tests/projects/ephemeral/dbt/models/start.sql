{{ config(materialized='table', tags=['FOUNDATION']) }}
select 1 as one
