with stayers as (

    select
        workforce.employee_id,
        workforce.job_level,
        workforce.annual_compensation,
        hazard.promotion_rate,
        {{ uniform('promotion', 'workforce.employee_id') }} as draw
    from {{ ref('int_workforce_previous_year') }} as workforce
    inner join {{ ref('int_promotion_hazard') }} as hazard
        on workforce.job_level = hazard.job_level
        and workforce.age_band = hazard.age_band
        and workforce.tenure_band = hazard.tenure_band
    left join {{ ref('int_termination_events') }} as terminations
        on workforce.employee_id = terminations.employee_id
    where terminations.employee_id is null

),

promoted as (

    select
        employee_id,
        job_level as from_level,
        job_level + 1 as to_level,
        annual_compensation as old_compensation
    from stayers
    where draw < promotion_rate

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    promoted.employee_id,
    {{ pay_review_date() }} as promotion_date,
    promoted.from_level,
    cast(promoted.to_level as integer) as to_level,
    promoted.old_compensation,
    cast(
        greatest(
            round(promoted.old_compensation * (1 + parameters.promotion_raise_rate), 2),
            parameters.range_min
        ) as decimal(18, 2)
    ) as new_compensation
from promoted
inner join {{ ref('int_effective_parameters') }} as parameters
    on promoted.to_level = parameters.job_level
where parameters.calendar_year = {{ var('simulation_year') }}
