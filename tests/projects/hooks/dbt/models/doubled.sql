{{ config(materialized='ephemeral') }}
select {{ var('yr') }} * 2 as k
