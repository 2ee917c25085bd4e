with stayers as (

    select
        workforce.employee_id,
        coalesce(promotions.to_level, workforce.job_level) as job_level,
        coalesce(promotions.new_compensation, workforce.annual_compensation) as old_compensation
    from {{ ref('int_workforce_previous_year') }} as workforce
    left join {{ ref('int_termination_events') }} as terminations
        on workforce.employee_id = terminations.employee_id
    left join {{ ref('int_promotion_events') }} as promotions
        on workforce.employee_id = promotions.employee_id
    where terminations.employee_id is null

),

-- Merit stops at the top of the pay range; cost of living is paid to everybody.
merit as (

    select
        stayers.employee_id,
        stayers.job_level,
        stayers.old_compensation,
        parameters.cost_of_living_rate,
        cast(
            least(
                round(stayers.old_compensation * parameters.merit_rate, 2),
                greatest(0, parameters.range_max - stayers.old_compensation)
            ) as decimal(18, 2)
        ) as merit_amount,
        round(stayers.old_compensation * parameters.merit_rate, 2) > parameters.range_max - stayers.old_compensation as is_capped
    from stayers
    inner join {{ ref('int_effective_parameters') }} as parameters
        on stayers.job_level = parameters.job_level
    where parameters.calendar_year = {{ var('simulation_year') }}

),

raises as (

    select
        employee_id,
        job_level,
        old_compensation,
        merit_amount,
        is_capped,
        cast(round((old_compensation + merit_amount) * cost_of_living_rate, 2) as decimal(18, 2)) as cost_of_living_amount
    from merit

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    {{ pay_review_date() }} as raise_date,
    job_level,
    old_compensation,
    merit_amount,
    cost_of_living_amount,
    cast(old_compensation + merit_amount + cost_of_living_amount as decimal(18, 2)) as new_compensation,
    is_capped
from raises
