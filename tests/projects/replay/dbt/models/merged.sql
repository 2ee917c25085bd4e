{{ config(materialized='incremental', incremental_strategy='merge', unique_key=['yr', 'id'], tags=['PLAIN']) }}
select yr, id, amount from {{ ref('replaced') }} where yr = {{ var('yr') }}
