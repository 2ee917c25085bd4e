{{ config(materialized='table') }}
select tree, age * 10 as size from {{ ref('trees') }}
