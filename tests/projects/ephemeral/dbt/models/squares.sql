{{ config(materialized='incremental', incremental_strategy='append', tags=['GROW']) }}
select yr, yr * yr as square from {{ ref('year_number') }}
