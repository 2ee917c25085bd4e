select customer_id::integer as customer_id from {{ ref('stg_customers') }}
