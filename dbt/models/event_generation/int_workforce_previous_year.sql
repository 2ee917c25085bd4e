with opening as (

    select
        baseline.employee_id,
        baseline.birth_date,
        baseline.hire_date,
        compensation.job_level,
        compensation.annual_compensation,
        baseline.department,
        baseline.eligibility_date,
        baseline.is_enrolled,
        case when baseline.is_enrolled then 'census' end as enrollment_method,
        cast(null as date) as enrollment_date,
        baseline.deferral_rate
    from {{ ref('int_baseline_workforce') }} as baseline
    inner join {{ ref('int_employee_compensation_by_year') }} as compensation
        on baseline.employee_id = compensation.employee_id
    where {{ var('simulation_year') }} = {{ var('start_year') }}

    union all

    select
        snapshot.employee_id,
        snapshot.birth_date,
        snapshot.hire_date,
        snapshot.job_level,
        snapshot.annual_compensation,
        snapshot.department,
        enrollment.eligibility_date,
        enrollment.is_enrolled,
        enrollment.enrollment_method,
        enrollment.enrollment_date,
        enrollment.deferral_rate
    from {{ source('prior_year', 'fct_workforce_snapshot') }} as snapshot
    inner join {{ source('prior_year', 'int_enrollment_state') }} as enrollment
        on snapshot.employee_id = enrollment.employee_id
        and enrollment.simulation_year = {{ var('simulation_year') }} - 1
    where snapshot.simulation_year = {{ var('simulation_year') }} - 1
        and {{ var('simulation_year') }} > {{ var('start_year') }}

),

guard as (

    select
        case
            when (select count(*) from {{ ref('int_effective_parameters') }} where calendar_year = {{ var('simulation_year') }}) = 0
                then {{ raise_error("'comp_levers does not reach the year " ~ var('simulation_year') ~ ". To fix: add that year to dbt/seeds/comp_levers.csv.'") }}
            when (select count(*) from {{ ref('stg_irs_contribution_limits') }} where calendar_year = {{ var('simulation_year') }}) = 0
                then {{ raise_error("'irs_contribution_limits has no row for the year " ~ var('simulation_year') ~ ". To fix: add that year to dbt/seeds/irs_contribution_limits.csv.'") }}
            else true
        end as is_covered

),

aged as (

    select
        opening.*,
        {{ var('simulation_year') }} - 1 - {{ year_of('opening.birth_date') }} as age,
        {{ var('simulation_year') }} - 1 - {{ year_of('opening.hire_date') }} as tenure_years
    from opening
    cross join guard
    where guard.is_covered

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    aged.employee_id,
    aged.birth_date,
    aged.hire_date,
    aged.job_level,
    aged.annual_compensation,
    aged.department,
    cast(aged.age as integer) as age,
    cast(aged.tenure_years as integer) as tenure_years,
    age_bands.age_band,
    tenure_bands.tenure_band,
    aged.eligibility_date,
    aged.is_enrolled,
    cast(aged.enrollment_method as varchar) as enrollment_method,
    aged.enrollment_date,
    aged.deferral_rate
from aged
inner join {{ ref('stg_age_bands') }} as age_bands
    on aged.age between age_bands.min_age and age_bands.max_age
inner join {{ ref('stg_tenure_bands') }} as tenure_bands
    on aged.tenure_years between tenure_bands.min_tenure and tenure_bands.max_tenure
