{{ config(materialized='incremental', tags=['YEARLY']) }}
select {{ var('yr') }} as yr, {% if is_incremental() %}{{ var('late') }}{% else %}0{% endif %} as late
