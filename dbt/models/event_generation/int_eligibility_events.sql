select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    eligibility_date,
    job_level,
    '{{ var("eligibility_wait_days") }} days of service and age {{ var("eligibility_minimum_age") }}' as reason
from {{ ref('int_employment_spells') }}
where eligibility_date between {{ first_day_of_year() }} and last_day
