{{ config(materialized='ephemeral') }}
select {{ var('yr') }} as yr
