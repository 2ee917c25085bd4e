{{ config(materialized='table', tags=['FOUNDATION']) }}
select 'odd' as parity
