with enrolled_this_year as (

    select
        employee_id,
        event_date as enrollment_date,
        enrollment_method,
        deferral_rate
    from {{ ref('int_enrollment_events') }}
    where event_type = 'enrollment'

)

select
    spells.simulation_year,
    spells.employee_id,
    spells.eligibility_date,
    spells.eligibility_date <= spells.last_day as is_eligible,
    spells.is_enrolled or enrolled_this_year.employee_id is not null as is_enrolled,
    coalesce(enrolled_this_year.enrollment_method, spells.enrollment_method) as enrollment_method,
    coalesce(enrolled_this_year.enrollment_date, spells.enrollment_date) as enrollment_date,
    coalesce(enrolled_this_year.deferral_rate, escalations.new_deferral_rate, spells.deferral_rate) as deferral_rate
from {{ ref('int_employment_spells') }} as spells
left join enrolled_this_year
    on spells.employee_id = enrolled_this_year.employee_id
left join {{ ref('int_deferral_escalation_events') }} as escalations
    on spells.employee_id = escalations.employee_id
