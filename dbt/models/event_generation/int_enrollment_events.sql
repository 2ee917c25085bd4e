with candidates as (

    select
        spells.employee_id,
        spells.job_level,
        spells.last_day,
        spells.eligibility_date,
        spells.eligibility_date >= {{ first_day_of_year() }} as is_newly_eligible,
        choices.default_deferral_rate,
        choices.opt_out_rate,
        case
            when spells.eligibility_date >= {{ first_day_of_year() }} then choices.first_year_enrollment_rate
            else choices.later_enrollment_rate
        end as voluntary_enrollment_rate,
        choices.voluntary_deferral_rate,
        {{ uniform('opt out', 'spells.employee_id') }} as opt_out_draw,
        {{ uniform('voluntary enrollment', 'spells.employee_id') }} as voluntary_draw,
        {{ first_day_of_year() }} + {{ uniform_integer('voluntary enrollment date', 'spells.employee_id', days_in_year()) }} as voluntary_date
    from {{ ref('int_employment_spells') }} as spells
    inner join {{ ref('stg_age_bands') }} as age_bands
        on spells.age_at_year_end between age_bands.min_age and age_bands.max_age
    inner join {{ ref('stg_auto_enrollment') }} as choices
        on age_bands.age_band = choices.age_band
    where not spells.is_enrolled
        and spells.eligibility_date <= spells.last_day

),

decided as (

    select
        employee_id,
        job_level,
        last_day,
        case
            when is_newly_eligible and {{ var('auto_enroll') }} and opt_out_draw < opt_out_rate then 'opt_out'
            when is_newly_eligible and {{ var('auto_enroll') }} then 'auto'
            when voluntary_draw < voluntary_enrollment_rate then 'voluntary'
        end as decision,
        case when is_newly_eligible then eligibility_date else voluntary_date end as decision_date,
        default_deferral_rate,
        voluntary_deferral_rate
    from candidates

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    case when decision = 'opt_out' then 'opt_out' else 'enrollment' end as event_type,
    decision_date as event_date,
    job_level,
    case when decision <> 'opt_out' then decision end as enrollment_method,
    cast(
        case decision
            when 'auto' then default_deferral_rate
            when 'voluntary' then voluntary_deferral_rate
        end as decimal(6, 4)
    ) as deferral_rate
from decided
where decision is not null
    and decision_date <= last_day
