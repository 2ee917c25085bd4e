{{ config(materialized='incremental', unique_key=['yr', 'id'], indexes=[{'columns': ['id']}]) }}
select {{ var('yr') }} as yr, id, amount from {{ ref('cleared') }} where yr = {{ var('yr') }}
