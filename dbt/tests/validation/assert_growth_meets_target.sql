-- The headcount at the end is within one of round(start x (1 + growth)); where attrition alone leaves more people
-- than that, nobody is hired and nobody is dismissed.
with start_of_year as (

    select count(*) as start_headcount
    from {{ ref('int_workforce_previous_year') }}

),

end_of_year as (

    select count(*) as end_headcount
    from {{ ref('fct_workforce_snapshot') }}
    where simulation_year = {{ var('simulation_year') }}

),

joiners as (

    select count(*) as hires
    from {{ ref('fct_yearly_events') }}
    where simulation_year = {{ var('simulation_year') }}
        and event_type = 'hire'

),

growth as (

    select
        start_of_year.start_headcount,
        end_of_year.end_headcount,
        joiners.hires,
        round(start_of_year.start_headcount * (1 + cast({{ var('target_growth_rate') }} as decimal(9, 6)))) as target_headcount
    from start_of_year
    cross join end_of_year
    cross join joiners

)

select
    start_headcount,
    end_headcount,
    hires,
    target_headcount
from growth
where abs(end_headcount - target_headcount) > 1
    and not (hires = 0 and end_headcount > target_headcount)
