select customer_id::integer as customer_id, (customer_id * 10)::integer as amount from {{ ref('stg_customers') }}
