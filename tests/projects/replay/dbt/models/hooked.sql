{{ config(materialized='table', post_hook="insert into {{ this }} select 1000") }}
select {{ var('yr') }} as yr
