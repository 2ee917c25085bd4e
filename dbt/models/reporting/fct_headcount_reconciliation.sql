with levels as (

    select job_level
    from {{ ref('stg_job_levels') }}

),

opening as (

    select
        job_level,
        count(*) as start_headcount
    from {{ ref('int_workforce_previous_year') }}
    group by job_level

),

closing as (

    select
        job_level,
        count(*) as end_headcount
    from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}
    group by job_level

),

movements as (

    select
        event_type,
        from_level,
        to_level,
        count(*) as employees
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}
        and event_type in ('hire', 'termination', 'new_hire_termination', 'promotion')
    group by event_type, from_level, to_level

),

by_level as (

    select
        levels.job_level,
        sum(case when movements.event_type = 'hire' and movements.to_level = levels.job_level then movements.employees else 0 end) as hires,
        sum(case when movements.event_type = 'termination' and movements.from_level = levels.job_level then movements.employees else 0 end) as terminations,
        sum(case when movements.event_type = 'new_hire_termination' and movements.from_level = levels.job_level then movements.employees else 0 end) as new_hire_terminations,
        sum(case when movements.event_type = 'promotion' and movements.to_level = levels.job_level then movements.employees else 0 end) as promotions_in,
        sum(case when movements.event_type = 'promotion' and movements.from_level = levels.job_level then movements.employees else 0 end) as promotions_out
    from levels
    left join movements
        on levels.job_level = movements.from_level
        or levels.job_level = movements.to_level
    group by levels.job_level

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    by_level.job_level,
    cast(coalesce(opening.start_headcount, 0) as bigint) as start_headcount,
    cast(by_level.hires as bigint) as hires,
    cast(by_level.terminations as bigint) as terminations,
    cast(by_level.new_hire_terminations as bigint) as new_hire_terminations,
    cast(by_level.promotions_in as bigint) as promotions_in,
    cast(by_level.promotions_out as bigint) as promotions_out,
    cast(coalesce(closing.end_headcount, 0) as bigint) as end_headcount
from by_level
left join opening
    on by_level.job_level = opening.job_level
left join closing
    on by_level.job_level = closing.job_level
