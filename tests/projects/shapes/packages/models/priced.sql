{{ config(materialized='table') }}
select c.*, r.rate, {{ cents.to_cents('r.rate') }} as cents from {{ ref('stg_customers') }} c join {{ ref('cents', 'rates') }} r using (region)
