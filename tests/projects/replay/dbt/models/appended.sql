{{ config(materialized='incremental', incremental_strategy='append', on_schema_change='fail', tags=['PLAIN']) }}
select {{ var('yr') }} as yr, id, amount from {{ ref('doubled') }}
{% if is_incremental() %}
union all
select {{ var('yr') }}, 100 + id, amount + 1 from {{ this }} where yr = {{ var('yr') }} - 1 and id < 100
{% endif %}
