with paid as (

    select
        spells.simulation_year,
        spells.employee_id,
        spells.first_day,
        spells.last_day,
        spells.age_at_year_end,
        spells.annual_compensation as opening_compensation,
        coalesce(raises.new_compensation, spells.annual_compensation) as closing_compensation,
        enrollment.is_enrolled,
        enrollment.deferral_rate,
        case
            when enrollment.is_enrolled then greatest(spells.first_day, coalesce(enrollment.enrollment_date, spells.first_day))
        end as participation_from
    from {{ ref('int_employment_spells') }} as spells
    inner join {{ ref('int_enrollment_state') }} as enrollment
        on spells.employee_id = enrollment.employee_id
        and enrollment.simulation_year = {{ var('simulation_year') }}
    left join {{ ref('int_merit_events') }} as raises
        on spells.employee_id = raises.employee_id

),

prorated as (

    select
        simulation_year,
        employee_id,
        is_enrolled,
        deferral_rate,
        age_at_year_end,
        opening_compensation,
        closing_compensation,
        cast(last_day - first_day + 1 as integer) as days_employed,
        case when is_enrolled then cast(last_day - participation_from + 1 as integer) else 0 end as days_participating,
        {{ pay_between('opening_compensation', 'closing_compensation', 'first_day', 'last_day') }} as compensation_paid,
        case
            when is_enrolled
                then {{ pay_between('opening_compensation', 'closing_compensation', 'participation_from', 'last_day') }}
            else cast(0 as decimal(18, 2))
        end as plan_compensation
    from paid

),

limited as (

    select
        prorated.*,
        cast(least(prorated.plan_compensation, limits.compensation_limit) as decimal(18, 2)) as limited_compensation,
        limits.elective_deferral_limit,
        cast(
            limits.elective_deferral_limit + case
                when prorated.age_at_year_end between limits.enhanced_catch_up_min_age and limits.enhanced_catch_up_max_age
                    then limits.enhanced_catch_up_limit
                when prorated.age_at_year_end >= limits.catch_up_age then limits.catch_up_limit
                else 0
            end as decimal(18, 2)
        ) as contribution_limit
    from prorated
    cross join {{ ref('stg_irs_contribution_limits') }} as limits
    where limits.calendar_year = {{ var('simulation_year') }}

),

contributed as (

    select
        limited.*,
        case
            when is_enrolled
                then cast(least(round(limited_compensation * deferral_rate, 2), contribution_limit) as decimal(18, 2))
            else cast(0 as decimal(18, 2))
        end as employee_contribution
    from limited

)

select
    simulation_year,
    employee_id,
    opening_compensation,
    closing_compensation,
    days_employed,
    days_participating,
    compensation_paid,
    plan_compensation,
    limited_compensation,
    deferral_rate,
    contribution_limit,
    employee_contribution,
    cast(greatest(0, employee_contribution - elective_deferral_limit) as decimal(18, 2)) as catch_up_contribution
from contributed
