{{ config(materialized='table', tags=['FOUNDATION']) }} select id, 'right' as side from {{ ref('start') }}
