{{ config(materialized='table') }}
select sum(price) as total from {{ ref('priced') }}
