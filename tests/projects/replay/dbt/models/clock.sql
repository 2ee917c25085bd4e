{{ config(materialized='table') }}
select {{ var('yr') }} as yr, '{{ run_started_at.strftime("%Y") }}' as started, '{{ modules.datetime.date.min }}' as day
