-- Start + hires - terminations - new-hire terminations + promotions in - promotions out = end, for every level and so in total.
with changes as (

    select job_level, 1 as change from {{ ref('int_workforce_previous_year') }}
    union all
    select to_level, 1 from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }} and event_type in ('hire', 'promotion')
    union all
    select from_level, -1 from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }} and event_type in ('termination', 'new_hire_termination', 'promotion')
    union all
    select job_level, -1 from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}

)

select
    job_level,
    sum(change) as unexplained
from changes
group by job_level
having sum(change) <> 0
