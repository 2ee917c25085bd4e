with participation as (

    select
        count(case when is_eligible then 1 end) as eligible_employees,
        count(case when is_enrolled then 1 end) as participants,
        coalesce(sum(deferral_rate), 0) as deferral_rates
    from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}

),

contributions as (

    select
        coalesce(sum(compensation_paid), 0) as compensation_paid,
        coalesce(sum(employee_contribution), 0) as employee_contributions,
        coalesce(sum(catch_up_contribution), 0) as catch_up_contributions,
        count(case when employee_contribution > 0 then 1 end) as contributors,
        count(case when employee_contribution > 0 and employee_contribution = contribution_limit then 1 end) as contributors_at_limit
    from {{ ref('int_employee_contributions') }}
    where simulation_year = {{ var('simulation_year') }}

),

matches as (

    select coalesce(sum(employer_match), 0) as employer_match
    from {{ ref('int_employer_match') }}
    where simulation_year = {{ var('simulation_year') }}

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    participation.eligible_employees,
    participation.participants,
    {{ share('participation.participants', 'participation.eligible_employees') }} as participation_rate,
    {{ share('participation.deferral_rates', 'participation.participants') }} as average_deferral_rate,
    contributions.contributors,
    contributions.contributors_at_limit,
    cast(contributions.compensation_paid as decimal(18, 2)) as compensation_paid,
    cast(contributions.employee_contributions as decimal(18, 2)) as employee_contributions,
    cast(contributions.catch_up_contributions as decimal(18, 2)) as catch_up_contributions,
    cast(matches.employer_match as decimal(18, 2)) as employer_match,
    cast(matches.employer_match as decimal(18, 2)) as total_plan_cost,
    {{ share('matches.employer_match', 'contributions.compensation_paid') }} as plan_cost_rate
from participation
cross join contributions
cross join matches
