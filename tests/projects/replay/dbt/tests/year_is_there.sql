{{ config(tags=['CHECKS']) }}
select {{ var('yr') }} as yr where not exists (select 1 from {{ ref('appended') }} where yr = {{ var('yr') }})
