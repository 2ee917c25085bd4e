{{ config(materialized='table') }}
select sum(amount) as total, (select count(*) from {{ ref('orders', v=1) }}) as old from {{ ref('orders') }}
