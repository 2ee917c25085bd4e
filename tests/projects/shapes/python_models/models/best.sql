{{ config(materialized='table') }}
select max(score) as best from {{ ref('scored') }}
