select * from {{ ref('stg_customers') }} limit 1
