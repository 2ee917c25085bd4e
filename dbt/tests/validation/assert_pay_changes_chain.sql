-- Within a year each change of pay starts from the amount that the change before it left, and the first one from the opening pay.
with changes as (

    select
        employee_id,
        event_sequence,
        old_value,
        new_value
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}
        and event_type in ('promotion', 'merit', 'cost_of_living')

),

chains as (

    select
        changes.employee_id,
        sum(changes.new_value - changes.old_value) as raise,
        min(changes.old_value) as first_value,
        max(changes.new_value) as last_value,
        max(previous.annual_compensation) as opening
    from changes
    left join {{ ref('int_workforce_previous_year') }} as previous
        on changes.employee_id = previous.employee_id
    group by changes.employee_id

)

select
    employee_id,
    opening,
    first_value,
    last_value,
    raise
from chains
where opening is null
    or first_value <> opening
    or last_value <> opening + raise
