{{ config(materialized='incremental', incremental_strategy='append', tags=['STOCKS']) }}
select {{ var('yr') }} as yr, sum(stock) as stock from {{ ref('stock') }} where yr = {{ var('yr') }}
