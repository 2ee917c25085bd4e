{{ config(materialized='table', indexes=[{'columns': ['yr']}]) }}
select {{ var('yr') }} as yr
