with recursive levers as (

    select
        comp_levers.calendar_year,
        comp_levers.job_level,
        comp_levers.merit_rate,
        comp_levers.cost_of_living_rate,
        job_levels.promotion_raise_rate,
        job_levels.range_min,
        job_levels.range_max
    from {{ ref('stg_comp_levers') }} as comp_levers
    inner join {{ ref('stg_job_levels') }} as job_levels
        on comp_levers.job_level = job_levels.job_level

),

-- Pay ranges of a year are those of the year before plus its cost of living, to the cent.
pay_ranges as (

    select
        calendar_year,
        job_level,
        cast(range_min as decimal(18, 2)) as range_min,
        cast(range_max as decimal(18, 2)) as range_max,
        cost_of_living_rate
    from levers
    where calendar_year = {{ var('start_year') }}

    union all

    select
        levers.calendar_year,
        levers.job_level,
        cast(round(pay_ranges.range_min * (1 + pay_ranges.cost_of_living_rate), 2) as decimal(18, 2)) as range_min,
        cast(round(pay_ranges.range_max * (1 + pay_ranges.cost_of_living_rate), 2) as decimal(18, 2)) as range_max,
        levers.cost_of_living_rate
    from pay_ranges
    inner join levers
        on pay_ranges.calendar_year + 1 = levers.calendar_year
        and pay_ranges.job_level = levers.job_level

),

chosen as (

    select
        cast({{ var('target_growth_rate') }} as decimal(18, 6)) as target_growth_rate,
        cast({{ var('termination_multiplier') }} as decimal(18, 6)) as termination_multiplier,
        cast({{ var('new_hire_termination_rate') }} as decimal(18, 6)) as new_hire_termination_rate

),

guard as (

    select
        case
            when target_growth_rate <= -1 or target_growth_rate > 1
                then {{ raise_error("'target_growth_rate is ' || target_growth_rate || '. To fix: write 3 percent as 0.03; from above -1 to 1.'") }}
            when termination_multiplier < 0 or termination_multiplier > 100
                then {{ raise_error("'termination_multiplier is ' || termination_multiplier || '. To fix: 1 leaves the rates as they are; from 0 to 100.'") }}
            when new_hire_termination_rate < 0 or new_hire_termination_rate > 0.9
                then {{ raise_error("'new_hire_termination_rate is ' || new_hire_termination_rate || '. To fix: write 15 percent as 0.15; from 0 to 0.9.'") }}
            when (select count(*) from {{ ref('stg_match_formula') }}) = 0
                then {{ raise_error("'match_formula " ~ var('match_formula') ~ " is not in config_match_formula. To fix: name one of its formulas or add it.'") }}
            when (select count(*) from pay_ranges) = 0
                then {{ raise_error("'comp_levers has no row for the start year " ~ var('start_year') ~ ". To fix: add that year to dbt/seeds/comp_levers.csv.'") }}
            else true
        end as is_usable
    from chosen

)

select
    levers.calendar_year,
    levers.job_level,
    levers.merit_rate,
    levers.cost_of_living_rate,
    levers.promotion_raise_rate,
    pay_ranges.range_min,
    pay_ranges.range_max,
    cast(chosen.target_growth_rate as decimal(9, 6)) as target_growth_rate,
    cast(chosen.termination_multiplier as decimal(9, 6)) as termination_multiplier,
    cast(chosen.new_hire_termination_rate as decimal(9, 6)) as new_hire_termination_rate
from pay_ranges
inner join levers
    on pay_ranges.calendar_year = levers.calendar_year
    and pay_ranges.job_level = levers.job_level
cross join chosen
cross join guard
where guard.is_usable
