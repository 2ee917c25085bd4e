with ranked as (

    select
        employee_id,
        hire_date,
        job_level,
        annual_compensation,
        row_number() over (order by {{ uniform('new hire termination', 'employee_id') }}, hire_sequence) as exit_rank
    from {{ ref('int_hiring_events') }}

),

needs as (

    select max(total_new_hire_terminations) as total_new_hire_terminations
    from {{ ref('int_workforce_needs') }}

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    ranked.employee_id,
    ranked.hire_date + 1
    + {{ uniform_integer('new hire termination date', 'ranked.employee_id', 'cast(' ~ last_day_of_year() ~ ' - ranked.hire_date as integer)') }} as termination_date,
    ranked.job_level,
    ranked.annual_compensation,
    'left in the first year' as reason
from ranked
cross join needs
where ranked.exit_rank <= needs.total_new_hire_terminations
