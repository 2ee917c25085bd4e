{{ config(materialized='ephemeral') }}
select id, amount, '{{ var("label") }}' as label from {{ ref('start') }}
