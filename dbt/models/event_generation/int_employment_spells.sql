with employed as (

    select
        workforce.employee_id,
        workforce.birth_date,
        workforce.hire_date,
        workforce.department,
        workforce.job_level,
        workforce.annual_compensation,
        workforce.eligibility_date,
        workforce.is_enrolled,
        workforce.enrollment_method,
        workforce.enrollment_date,
        workforce.deferral_rate,
        false as is_new_hire,
        {{ first_day_of_year() }} as first_day,
        terminations.termination_date
    from {{ ref('int_workforce_previous_year') }} as workforce
    left join {{ ref('int_termination_events') }} as terminations
        on workforce.employee_id = terminations.employee_id

    union all

    select
        hires.employee_id,
        hires.birth_date,
        hires.hire_date,
        hires.department,
        hires.job_level,
        hires.annual_compensation,
        hires.eligibility_date,
        false as is_enrolled,
        cast(null as varchar) as enrollment_method,
        cast(null as date) as enrollment_date,
        cast(null as decimal(6, 4)) as deferral_rate,
        true as is_new_hire,
        hires.hire_date as first_day,
        exits.termination_date
    from {{ ref('int_hiring_events') }} as hires
    left join {{ ref('int_new_hire_termination_events') }} as exits
        on hires.employee_id = exits.employee_id

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    birth_date,
    hire_date,
    department,
    job_level,
    annual_compensation,
    cast({{ var('simulation_year') }} - {{ year_of('birth_date') }} as integer) as age_at_year_end,
    is_new_hire,
    first_day,
    coalesce(termination_date, {{ last_day_of_year() }}) as last_day,
    termination_date,
    eligibility_date,
    is_enrolled,
    enrollment_method,
    enrollment_date,
    deferral_rate
from employed
