select customer_id, date '2025-01-01' + customer_id::integer as sold_on, customer_id * 10 as amount from {{ ref('stg_customers') }}
