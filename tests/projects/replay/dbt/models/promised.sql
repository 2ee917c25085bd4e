{{ config(materialized='table', contract={'enforced': true}, tags=['PLAIN']) }}
select {{ var('yr') }} as yr, {{ total('amount') }} as amount from {{ ref('merged') }} where yr = {{ var('yr') }}
