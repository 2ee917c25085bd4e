-- Last year's people less leavers plus joiners are this year's people; pay, level, age and tenure follow from
-- where they stood and from this year's events alone.
with events as (

    select
        employee_id,
        count(case when event_type in ('termination', 'new_hire_termination') then 1 end) as exits,
        sum(case when event_type in ('promotion', 'merit', 'cost_of_living') then new_value - old_value else 0 end) as raise,
        sum(case when event_type = 'promotion' then to_level - from_level else 0 end) as levels_gained
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}
        and event_type in ('termination', 'new_hire_termination', 'promotion', 'merit', 'cost_of_living')
    group by employee_id

),

joined as (

    select
        hired.employee_id,
        hired.to_level as job_level,
        hired.new_value as annual_compensation,
        hires.birth_date,
        hired.event_date as hire_date
    from {{ ref('fct_yearly_events') }} as hired
    left join {{ ref('int_hiring_events') }} as hires
        on hired.employee_id = hires.employee_id
    where hired.simulation_year = {{ var('simulation_year') }}
        and hired.event_type = 'hire'

),

people as (

    select
        employee_id,
        job_level,
        annual_compensation,
        birth_date,
        hire_date,
        age,
        tenure_years
    from {{ source('prior_year', 'fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }} - 1
        and {{ var('simulation_year') }} > {{ var('start_year') }}

    union all

    select
        employee_id,
        job_level,
        annual_compensation,
        birth_date,
        hire_date,
        {{ var('simulation_year') }} - 1 - {{ year_of('birth_date') }},
        {{ var('simulation_year') }} - 1 - {{ year_of('hire_date') }}
    from {{ ref('int_baseline_workforce') }}
    where {{ var('simulation_year') }} = {{ var('start_year') }}

    union all

    select
        employee_id,
        job_level,
        annual_compensation,
        birth_date,
        hire_date,
        {{ var('simulation_year') }} - 1 - {{ year_of('birth_date') }},
        -1
    from joined

),

expected as (

    select
        people.employee_id,
        people.job_level + coalesce(events.levels_gained, 0) as job_level,
        people.annual_compensation + coalesce(events.raise, 0) as annual_compensation,
        people.birth_date,
        people.hire_date,
        people.age + 1 as age,
        people.tenure_years + 1 as tenure_years
    from people
    left join events
        on people.employee_id = events.employee_id
    where coalesce(events.exits, 0) = 0

),

actual as (

    select *
    from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}

)

select
    coalesce(expected.employee_id, actual.employee_id) as employee_id,
    case
        when actual.employee_id is null then 'is missing'
        when expected.employee_id is null then 'came from nowhere or should have left'
        when actual.job_level <> expected.job_level then 'level'
        when actual.annual_compensation <> expected.annual_compensation then 'pay'
        when actual.age <> expected.age then 'age'
        when actual.tenure_years <> expected.tenure_years then 'tenure'
        else 'birth or hire date'
    end as offence
from expected
full outer join actual
    on expected.employee_id = actual.employee_id
where expected.employee_id is null
    or actual.employee_id is null
    or actual.job_level <> expected.job_level
    or actual.annual_compensation <> expected.annual_compensation
    or actual.age <> expected.age
    or actual.tenure_years <> expected.tenure_years
    or actual.birth_date <> expected.birth_date
    or actual.hire_date <> expected.hire_date
