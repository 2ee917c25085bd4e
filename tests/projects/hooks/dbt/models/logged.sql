{{ config(
    materialized='incremental',
    unique_key='id',
    pre_hook=["create table if not exists {{ target.schema }}.log (yr integer, source varchar, rows_there bigint)"],
    post_hook=[
        "insert into {{ target.schema }}.log select {{ var('yr') }}, '{{ var('source') }}', count(*) from {{ this }}",
        "insert into {{ target.schema }}.log select {{ var('yr') }}, 'again', sum(amount) from {{ ref('cleared') }}"
    ]
) }}
select {{ var('yr') }} as yr, id + 10 * {{ var('yr') }} as id, amount from {{ ref('cleared') }} where yr = {{ var('yr') }}
