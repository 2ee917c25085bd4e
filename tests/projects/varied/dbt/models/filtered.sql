{{ config(materialized='table', tags=['YEARLY']) }}
select {{ var('yr') }} as yr, id, amount, {{ shown(var('cutoff')) }} as cutoff from {{ ref('grown') }}
where amount > {{ var('cutoff') }}
