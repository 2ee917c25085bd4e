{{ config(materialized='incremental', on_schema_change='sync_all_columns', unique_key='yr',
    pre_hook="{% if var('yr') == 5 %}alter table {{ this }} add column if not exists z integer{% else %}select 1{% endif %}") }}
select {{ var('yr') }} as yr, id from {{ ref('start') }}
