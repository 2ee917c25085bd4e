{{ config(materialized='table', tags=['FOUNDATION']) }}
select 'even' as parity
