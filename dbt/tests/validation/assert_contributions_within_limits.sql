-- Recomputed from the seeds: nobody defers above the year's limit, on pay above the compensation limit, more than elected,
-- or without being enrolled; pay paid is never more than a full year's.
with limits as (

    select
        elective_deferral_limit,
        catch_up_limit,
        catch_up_age,
        coalesce(enhanced_catch_up_limit, catch_up_limit) as enhanced_catch_up_limit,
        enhanced_catch_up_min_age,
        enhanced_catch_up_max_age,
        compensation_limit
    from {{ ref('irs_contribution_limits') }}
    where calendar_year = {{ var('simulation_year') }}

),

people as (

    select
        contributions.*,
        spells.age_at_year_end,
        enrollment.is_enrolled,
        enrollment.deferral_rate as elected_rate,
        enrollment.enrollment_date
    from {{ ref('int_employee_contributions') }} as contributions
    left join {{ ref('int_employment_spells') }} as spells
        on contributions.employee_id = spells.employee_id
    left join {{ ref('int_enrollment_state') }} as enrollment
        on contributions.employee_id = enrollment.employee_id
        and enrollment.simulation_year = {{ var('simulation_year') }}
    where contributions.simulation_year = {{ var('simulation_year') }}

),

checked as (

    select
        people.employee_id,
        people.employee_contribution,
        case
            when people.is_enrolled is null or people.age_at_year_end is null then 'nobody employed this year'
            when people.employee_contribution <> 0 and not people.is_enrolled then 'contribution without enrollment'
            when people.employee_contribution > limits.elective_deferral_limit + case
                when people.age_at_year_end between limits.enhanced_catch_up_min_age and limits.enhanced_catch_up_max_age
                    then limits.enhanced_catch_up_limit
                when people.age_at_year_end >= limits.catch_up_age then limits.catch_up_limit
                else 0
            end then 'above the limit of the year'
            when people.limited_compensation > limits.compensation_limit then 'on pay above the compensation limit'
            when people.limited_compensation > people.compensation_paid then 'on more pay than was paid'
            when people.compensation_paid > greatest(people.opening_compensation, people.closing_compensation)
                then 'paid more than a full year'
            when people.is_enrolled
                and abs(people.employee_contribution - least(people.limited_compensation * people.elected_rate, people.contribution_limit)) > 0.005
                then 'not the elected share of pay'
        end as offence
    from people
    cross join limits

)

select
    employee_id,
    employee_contribution,
    offence
from checked
where offence is not null
