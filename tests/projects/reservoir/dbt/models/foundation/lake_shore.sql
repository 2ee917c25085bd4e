{{ config(materialized='table', tags=['FOUNDATION']) }}
select lake, shore * 1000 as shore_metres from {{ ref('lake_shape') }}
