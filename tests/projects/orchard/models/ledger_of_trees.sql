{{ config(materialized='table') }}
select tree, season from {{ ref('crop') }}
{% if var('season') != var('first_season') %} union all select tree, season from {{ this }} {% endif %}
