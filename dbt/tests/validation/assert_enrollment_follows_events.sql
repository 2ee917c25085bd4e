-- Nobody becomes a participant or changes the rate without an event of this year, and nobody silently stops.
with events as (

    select
        employee_id,
        max(case when event_type in ('enrollment', 'deferral_escalation') then new_value end) as new_rate,
        count(case when event_type = 'enrollment' then 1 end) as enrollments
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}
        and event_type in ('enrollment', 'deferral_escalation')
    group by employee_id

),

expected as (

    select
        spells.employee_id,
        spells.is_enrolled or coalesce(events.enrollments, 0) > 0 as is_enrolled,
        coalesce(events.new_rate, spells.deferral_rate) as deferral_rate
    from {{ ref('int_employment_spells') }} as spells
    left join events
        on spells.employee_id = events.employee_id

),

actual as (

    select
        employee_id,
        is_enrolled,
        deferral_rate
    from {{ ref('int_enrollment_state') }}
    where simulation_year = {{ var('simulation_year') }}

)

select
    coalesce(expected.employee_id, actual.employee_id) as employee_id,
    expected.is_enrolled as expected_enrolled,
    actual.is_enrolled as actual_enrolled,
    expected.deferral_rate as expected_rate,
    actual.deferral_rate as actual_rate
from expected
full outer join actual
    on expected.employee_id = actual.employee_id
where expected.employee_id is null
    or actual.employee_id is null
    or expected.is_enrolled <> actual.is_enrolled
    or coalesce(expected.deferral_rate, 0) <> coalesce(actual.deferral_rate, 0)
