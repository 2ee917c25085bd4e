{{ config(materialized='yearly_copy') }}
select {{ var('yr') }} as yr
