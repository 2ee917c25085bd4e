{{ config(materialized='table', post_hook="{% if var('yr') % 2 == 0 %}insert into {{ target.schema }}.log values ({{ var('yr') }}, 'even', 0){% endif %}") }}
select {{ var('yr') }} as yr
