with headcount as (

    select
        simulation_year,
        sum(start_headcount) as start_headcount,
        sum(hires) as hires,
        sum(terminations) as terminations,
        sum(new_hire_terminations) as new_hire_terminations,
        sum(promotions_in) as promotions,
        sum(end_headcount) as end_headcount
    from {{ ref('fct_headcount_reconciliation') }}
    where simulation_year = {{ var('simulation_year') }}
    group by simulation_year

)

select
    headcount.simulation_year,
    cast(headcount.start_headcount as bigint) as start_headcount,
    cast(headcount.hires as bigint) as hires,
    cast(headcount.terminations as bigint) as terminations,
    cast(headcount.new_hire_terminations as bigint) as new_hire_terminations,
    cast(headcount.promotions as bigint) as promotions,
    cast(headcount.end_headcount as bigint) as end_headcount,
    compensation.closing_payroll as total_compensation,
    compensation.closing_average_compensation as average_compensation,
    plan_cost.employee_contributions,
    plan_cost.employer_match,
    plan_cost.total_plan_cost,
    plan_cost.participation_rate,
    cast(headcount.terminations + headcount.new_hire_terminations as bigint) as exits,
    plan_cost.compensation_paid,
    compensation.average_growth_rate as average_compensation_growth_rate,
    plan_cost.plan_cost_rate
from headcount
inner join {{ ref('fct_compensation_growth') }} as compensation
    on headcount.simulation_year = compensation.simulation_year
inner join {{ ref('fct_plan_cost') }} as plan_cost
    on headcount.simulation_year = plan_cost.simulation_year
