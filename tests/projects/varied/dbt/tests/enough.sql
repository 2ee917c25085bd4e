{{ config(tags=['CHECKS']) }}
select * from {{ ref('grown') }} where amount < {{ var('least', -1) }}
