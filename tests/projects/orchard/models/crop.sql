{{ config(materialized='incremental') }}
select tree, size, '{{ var("season") }}' as season from {{ ref('growth') }}
where hash({{ var('random_seed') }}) > 0 and {{ var('season') }} >= {{ var('first_season') }}
