with start_of_year as (

    select count(*) as start_headcount
    from {{ ref('int_workforce_previous_year') }}

),

terminations as (

    select count(*) as terminations
    from {{ ref('int_termination_events') }}

),

parameters as (

    select distinct
        target_growth_rate,
        new_hire_termination_rate
    from {{ ref('int_effective_parameters') }}
    where calendar_year = {{ var('simulation_year') }}

),

needs as (

    select
        start_of_year.start_headcount,
        terminations.terminations,
        parameters.new_hire_termination_rate,
        cast(round(start_of_year.start_headcount * (1 + parameters.target_growth_rate)) as bigint) as target_headcount,
        cast(round(start_of_year.start_headcount * (1 + parameters.target_growth_rate)) as bigint)
        - start_of_year.start_headcount + terminations.terminations as missing
    from start_of_year
    cross join terminations
    cross join parameters

),

-- Hires less their own exits, hires - round(hires x rate), grows by 0 or 1 with every hire: so a number of hires
-- that meets the target exactly exists, and it lies next to missing / (1 - rate).
candidates as (

    select
        needs.start_headcount,
        needs.terminations,
        needs.new_hire_termination_rate,
        needs.target_headcount,
        needs.missing,
        cast(floor(cast(needs.missing as double precision) / cast(1 - needs.new_hire_termination_rate as double precision)) as bigint)
        + steps.step as hires
    from needs
    cross join generate_series(-20, 20) as steps (step)

),

totals as (

    select
        start_headcount,
        terminations,
        target_headcount,
        new_hire_termination_rate,
        coalesce(
            min(case
                when missing > 0 and hires > 0 and hires - cast(round(hires * new_hire_termination_rate) as bigint) >= missing
                    then hires
            end),
            0
        ) as total_hires
    from candidates
    group by start_headcount, terminations, target_headcount, new_hire_termination_rate

),

level_shares as (

    select
        job_level,
        sum(hire_share) as hire_share
    from {{ ref('stg_new_hire_profile') }}
    group by job_level

),

shared_out as (

    select
        totals.start_headcount,
        totals.terminations,
        totals.target_headcount,
        totals.total_hires,
        cast(round(totals.total_hires * totals.new_hire_termination_rate) as bigint) as total_new_hire_terminations,
        level_shares.job_level,
        level_shares.hire_share,
        cast(floor(totals.total_hires * level_shares.hire_share) as bigint) as whole_hires,
        totals.total_hires * level_shares.hire_share - floor(totals.total_hires * level_shares.hire_share) as remainder
    from totals
    cross join level_shares

),

-- The hires that rounding down left over go to the levels with the largest remainders.
ranked as (

    select
        shared_out.*,
        row_number() over (order by remainder desc, job_level) as remainder_rank,
        total_hires - sum(whole_hires) over () as left_over
    from shared_out

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    job_level,
    start_headcount,
    terminations,
    target_headcount,
    total_hires,
    total_new_hire_terminations,
    cast(hire_share as decimal(9, 6)) as hire_share,
    cast(whole_hires + case when remainder_rank <= left_over then 1 else 0 end as bigint) as hires
from ranked
