{{ config(materialized='table', post_hook="insert into {{ target.schema }}.log select {{ var('yr') }}, 'committing', 0 from {{ ref('logged') }} limit 1; commit; begin") }}
select {{ var('yr') }} as yr
