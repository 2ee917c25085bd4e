select max(age) as age from {{ ref('stock') }} where fiscal = {{ var('period') }}
