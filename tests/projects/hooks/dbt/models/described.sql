{{ config(materialized='table', persist_docs={'relation': true, 'columns': true}) }}
select {{ var('yr') }} as yr, count(*) as things from {{ ref('rebuilt') }}
