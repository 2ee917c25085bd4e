with stayers as (

    select
        spells.*,
        coalesce(promotions.to_level, spells.job_level) as closing_level
    from {{ ref('int_employment_spells') }} as spells
    left join {{ ref('int_promotion_events') }} as promotions
        on spells.employee_id = promotions.employee_id
    where spells.termination_date is null

)

select
    stayers.simulation_year,
    stayers.employee_id,
    stayers.birth_date,
    stayers.hire_date,
    stayers.department,
    stayers.closing_level as job_level,
    contributions.closing_compensation as annual_compensation,
    stayers.age_at_year_end as age,
    cast({{ var('simulation_year') }} - {{ year_of('stayers.hire_date') }} as integer) as tenure_years,
    enrollment.is_eligible,
    enrollment.is_enrolled,
    enrollment.deferral_rate,
    contributions.compensation_paid,
    contributions.employee_contribution,
    coalesce(matches.employer_match, cast(0 as decimal(18, 2))) as employer_match
from stayers
inner join {{ ref('int_employee_contributions') }} as contributions
    on stayers.employee_id = contributions.employee_id
    and contributions.simulation_year = {{ var('simulation_year') }}
inner join {{ ref('int_enrollment_state') }} as enrollment
    on stayers.employee_id = enrollment.employee_id
    and enrollment.simulation_year = {{ var('simulation_year') }}
left join {{ ref('int_employer_match') }} as matches
    on stayers.employee_id = matches.employee_id
    and matches.simulation_year = {{ var('simulation_year') }}
