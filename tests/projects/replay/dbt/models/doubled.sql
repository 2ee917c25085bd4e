{{ config(materialized='ephemeral') }}
select id, amount * 2 + {{ var('yr') }} as amount from {{ ref('start') }}
