{{ config(materialized='incremental', incremental_strategy='append', pre_hook="{{ remove(this) }}") }}
select {{ var('yr') }} as yr, id, amount * {{ var('yr') }} as amount from {{ ref('start') }}
