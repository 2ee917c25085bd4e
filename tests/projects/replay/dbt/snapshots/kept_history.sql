{% snapshot kept_history %}
{{ config(target_schema='main', unique_key='id', strategy='check', check_cols=['amount']) }}
select id, amount + {{ var('yr') }} as amount from {{ ref('start') }}
{% endsnapshot %}
