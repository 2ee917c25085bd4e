{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key=['yr', 'id'], tags=['PLAIN']) }}
select yr, id, max(amount) as amount from {{ ref('appended') }} where yr = {{ var('yr') }} group by all
