with drawn as (

    select
        workforce.employee_id,
        workforce.job_level,
        workforce.annual_compensation,
        workforce.age,
        hazard.termination_rate,
        {{ uniform('termination', 'workforce.employee_id') }} as draw
    from {{ ref('int_workforce_previous_year') }} as workforce
    inner join {{ ref('int_termination_hazard') }} as hazard
        on workforce.age_band = hazard.age_band
        and workforce.tenure_band = hazard.tenure_band

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    {{ first_day_of_year() }} + {{ uniform_integer('termination date', 'employee_id', days_in_year()) }} as termination_date,
    job_level,
    annual_compensation,
    termination_rate,
    case when age >= 65 then 'retirement' else 'separation' end as reason
from drawn
where draw < termination_rate
