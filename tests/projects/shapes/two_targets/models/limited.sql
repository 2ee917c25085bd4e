{{ config(materialized='table') }}
select * from {{ ref('stg_customers') }} {% if target.name == 'dev' %} where customer_id < 3 {% endif %}
