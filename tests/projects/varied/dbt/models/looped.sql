{{ config(materialized='table', tags=['YEARLY']) }}
{% for step in range(var('steps')) %}select {{ step }} as step, {{ var('yr') - 1 }} as before{{ " union all " if not loop.last }}{% endfor %}
