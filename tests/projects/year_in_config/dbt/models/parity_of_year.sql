{{ config(materialized='incremental', incremental_strategy='append', tags=['BUILD']) }}
{% set year = var('yr') %}
{% if year % 2 == 0 %}
select parity, o.yr from {{ ref('base_even') }}, {{ ref('of_year') }} o
{% else %}
select parity, o.yr from {{ ref('base_odd') }}, {{ ref('of_year') }} o
{% endif %}
