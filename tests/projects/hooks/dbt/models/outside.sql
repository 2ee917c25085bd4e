{{ config(materialized='table') }}
select {{ var('yr') }} as yr from {{ ref('logged') }} limit 1
