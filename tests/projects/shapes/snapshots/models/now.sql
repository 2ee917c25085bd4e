{{ config(materialized='table') }}
select id, name, region from {{ ref('customers_history') }} where dbt_valid_to is null
