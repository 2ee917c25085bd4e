with opening as (

    select
        baseline.employee_id,
        baseline.job_level,
        baseline.annual_compensation,
        parameters.calendar_year,
        parameters.range_min,
        parameters.range_max
    from {{ ref('int_baseline_workforce') }} as baseline
    inner join {{ ref('int_effective_parameters') }} as parameters
        on baseline.job_level = parameters.job_level
    where parameters.calendar_year = {{ var('start_year') }}

)

select
    calendar_year,
    employee_id,
    job_level,
    annual_compensation,
    range_min,
    range_max,
    case
        when annual_compensation < range_min then 'below range'
        when annual_compensation > range_max then 'above range'
        when annual_compensation * 2 < range_min + range_max then 'lower half'
        else 'upper half'
    end as range_position
from opening
