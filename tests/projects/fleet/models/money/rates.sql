{{ config(materialized='table') }}
select depot, bays * 100 as rent from {{ ref('depots') }}
