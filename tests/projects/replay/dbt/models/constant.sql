{{ config(materialized='table', tags=['PLAIN']) }}
select count(*) as rows_there from {{ ref('start') }}
