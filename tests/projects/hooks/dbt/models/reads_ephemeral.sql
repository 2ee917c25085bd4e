{{ config(materialized='table', post_hook='select 1') }}
select {{ var('yr') }} as yr, k from {{ ref('doubled') }}
