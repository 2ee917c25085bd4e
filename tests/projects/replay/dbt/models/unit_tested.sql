{{ config(materialized='table') }}
select id, amount + {{ var('yr') }} as amount from {{ ref('start') }}
