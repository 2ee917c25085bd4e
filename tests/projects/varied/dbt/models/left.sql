{{ config(materialized='table', tags=['FOUNDATION']) }} select id, 'left' as side from {{ ref('start') }}
