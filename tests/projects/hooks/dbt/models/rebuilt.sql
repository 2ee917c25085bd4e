{{ config(materialized='table', post_hook="create index if not exists rebuilt_by_id on {{ this }} (id)") }}
select {{ var('yr') }} as yr, id, amount from {{ ref('logged') }}
