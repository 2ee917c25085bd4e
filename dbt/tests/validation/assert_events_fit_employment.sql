-- No event before the hire or after the exit, one exit and one hire at most, every event of somebody employed this year.
with events as (

    select
        employee_id,
        event_type,
        event_date
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}

),

hires as (

    select employee_id, event_date as hire_date
    from events
    where event_type = 'hire'

),

exits as (

    select employee_id, min(event_date) as exit_date, count(*) as exits
    from events
    where event_type in ('termination', 'new_hire_termination')
    group by employee_id

),

employed as (

    select employee_id, hire_date from {{ ref('int_workforce_previous_year') }}
    union all
    select employee_id, hire_date from hires

)

select
    events.employee_id,
    events.event_type,
    events.event_date,
    employed.hire_date,
    exits.exit_date
from events
left join employed
    on events.employee_id = employed.employee_id
left join exits
    on events.employee_id = exits.employee_id
where employed.employee_id is null
    or events.event_date < employed.hire_date
    or events.event_date > exits.exit_date
    or exits.exits > 1
