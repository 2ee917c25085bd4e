{{ config(materialized='table', pre_hook="create or replace temp table now_{{ var('yr') }} as select {{ var('yr') }} as yr") }}
select {{ var('yr') }} as yr
