{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='happened_at', batch_size='year',
    begin='2025-01-01', lookback=0) }}
select id, happened_at::timestamp as happened_at, size * 2 as size from {{ ref('events') }}
