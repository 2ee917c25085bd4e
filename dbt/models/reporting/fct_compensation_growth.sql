with opening as (

    select
        count(*) as start_headcount,
        coalesce(sum(annual_compensation), 0) as opening_payroll
    from {{ ref('int_workforce_previous_year') }}

),

changes as (

    select
        coalesce(sum(case when event_type = 'termination' then old_value end), 0) as leavers_pay,
        coalesce(sum(case when event_type = 'hire' then new_value when event_type = 'new_hire_termination' then -old_value end), 0) as joiners_pay,
        coalesce(sum(case when event_type = 'promotion' then new_value - old_value end), 0) as promotion_raises,
        coalesce(sum(case when event_type = 'merit' then new_value - old_value end), 0) as merit_raises,
        coalesce(sum(case when event_type = 'cost_of_living' then new_value - old_value end), 0) as cost_of_living_raises
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}

),

closing as (

    select
        count(*) as end_headcount,
        coalesce(sum(annual_compensation), 0) as closing_payroll
    from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}

),

averages as (

    select
        opening.start_headcount,
        opening.opening_payroll,
        changes.leavers_pay,
        changes.joiners_pay,
        changes.promotion_raises,
        changes.merit_raises,
        changes.cost_of_living_raises,
        closing.end_headcount,
        closing.closing_payroll,
        {{ average('opening.opening_payroll', 'opening.start_headcount') }} as opening_average,
        {{ average('closing.closing_payroll', 'closing.end_headcount') }} as closing_average
    from opening
    cross join changes
    cross join closing

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    cast(opening_payroll as decimal(18, 2)) as opening_payroll,
    cast(leavers_pay as decimal(18, 2)) as leavers_pay,
    cast(joiners_pay as decimal(18, 2)) as joiners_pay,
    cast(promotion_raises as decimal(18, 2)) as promotion_raises,
    cast(merit_raises as decimal(18, 2)) as merit_raises,
    cast(cost_of_living_raises as decimal(18, 2)) as cost_of_living_raises,
    cast(closing_payroll as decimal(18, 2)) as closing_payroll,
    opening_average as opening_average_compensation,
    closing_average as closing_average_compensation,
    cast({{ share('closing_payroll', 'opening_payroll') }} - case when opening_payroll > 0 then 1 else 0 end as decimal(9, 6)) as payroll_growth_rate,
    cast({{ share('closing_average', 'opening_average') }} - case when opening_average > 0 then 1 else 0 end as decimal(9, 6)) as average_growth_rate
from averages
