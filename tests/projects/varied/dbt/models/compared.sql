{{ config(materialized='table', tags=['YEARLY']) }}
select id, {% if var('mode') == 'high' %}amount * 10{% else %}amount{% endif %} as amount,
  '{{ var("mode") | upper }}' as mode from {{ ref('grown') }} where yr = {{ var('yr') }}
