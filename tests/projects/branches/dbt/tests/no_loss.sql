{{ config(tags=['STOCKS']) }}
select * from {{ ref('stock') }} where yr = {{ var('yr') }} and stock < 10
