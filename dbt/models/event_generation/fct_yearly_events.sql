with events as (

    select
        employee_id,
        'termination' as event_type,
        1 as event_sequence,
        termination_date as event_date,
        job_level as from_level,
        cast(null as integer) as to_level,
        annual_compensation as old_value,
        null as new_value,
        reason
    from {{ ref('int_termination_events') }}

    union all

    select employee_id, 'hire', 2, hire_date, null, job_level, null, annual_compensation, 'to reach the target headcount'
    from {{ ref('int_hiring_events') }}

    union all

    select employee_id, 'new_hire_termination', 3, termination_date, job_level, null, annual_compensation, null, reason
    from {{ ref('int_new_hire_termination_events') }}

    union all

    select
        employee_id, 'promotion', 4, promotion_date, from_level, to_level, old_compensation, new_compensation,
        'from level ' || from_level || ' to level ' || to_level
    from {{ ref('int_promotion_events') }}

    union all

    select
        employee_id, 'merit', 5, raise_date, job_level, job_level, old_compensation, old_compensation + merit_amount,
        case when is_capped then 'limited by the pay range' else 'merit' end
    from {{ ref('int_merit_events') }}
    where merit_amount <> 0

    union all

    select
        employee_id, 'cost_of_living', 6, raise_date, job_level, job_level, old_compensation + merit_amount, new_compensation,
        'cost of living'
    from {{ ref('int_merit_events') }}
    where cost_of_living_amount <> 0

    union all

    select employee_id, 'eligibility', 7, eligibility_date, job_level, job_level, null, null, reason
    from {{ ref('int_eligibility_events') }}

    union all

    select
        employee_id, event_type, 8, event_date, job_level, job_level, null, deferral_rate,
        coalesce(enrollment_method, 'opted out')
    from {{ ref('int_enrollment_events') }}

    union all

    select
        employee_id, 'deferral_escalation', 9, escalation_date, job_level, job_level, old_deferral_rate, new_deferral_rate,
        'automatic escalation'
    from {{ ref('int_deferral_escalation_events') }}

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    cast(md5('{{ var("simulation_year") }}|' || event_type || '|' || employee_id) as varchar) as event_id,
    employee_id,
    cast(event_type as varchar) as event_type,
    cast(event_sequence as integer) as event_sequence,
    event_date,
    cast(from_level as integer) as from_level,
    cast(to_level as integer) as to_level,
    cast(old_value as decimal(18, 4)) as old_value,
    cast(new_value as decimal(18, 4)) as new_value,
    cast(reason as varchar) as reason
from events
