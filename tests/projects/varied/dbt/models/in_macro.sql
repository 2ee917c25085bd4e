{{ config(materialized='table', tags=['YEARLY']) }}
select id, {{ scaled('amount') }} as amount, {{ var('extra', 5) }} as extra from {{ ref('grown') }} where yr = {{ var('yr') }}
