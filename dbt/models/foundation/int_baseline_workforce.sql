with census as (

    select
        employee_id,
        birth_date,
        hire_date,
        job_level,
        annual_compensation,
        department,
        nullif(deferral_rate, 0) as deferral_rate
    from {{ ref('stg_census') }}

),

census_counts as (

    select
        count(*) as employees,
        count(distinct employee_id) as distinct_ids,
        count(*) - count(employee_id) as without_id,
        count(*) - count(case
            when birth_date is not null and hire_date is not null and job_level is not null
                and annual_compensation is not null and department is not null
                then 1
        end) as with_nulls,
        count(case when hire_date > {{ census_date() }} then 1 end) as hired_too_late,
        count(case when hire_date < birth_date + interval '14 years' then 1 end) as hired_as_children,
        count(case when job_level not in (select job_level from {{ ref('stg_job_levels') }}) then 1 end) as unknown_levels,
        count(case when annual_compensation <= 0 then 1 end) as without_pay,
        count(case when deferral_rate < 0 or deferral_rate > 1 then 1 end) as impossible_rates
    from census

),

-- An unusable census stops the run here, with words, before any year is simulated.
guard as (

    select
        case
            when employees = 0
                then {{ raise_error("'The census has no employees. To fix: give at least one row (docs/simulation.md, Your own census).'") }}
            when without_id > 0
                then {{ raise_error("'The census has ' || without_id || ' rows without employee_id. To fix: give every row its own id.'") }}
            when distinct_ids < employees
                then {{ raise_error("'The census names ' || (employees - distinct_ids) || ' employee_id more than once. To fix: keep one row per employee.'") }}
            when with_nulls > 0
                then {{ raise_error("'The census has ' || with_nulls || ' rows with an empty birth_date, hire_date, job_level, annual_compensation or department. To fix: only deferral_rate may be empty.'") }}
            when hired_too_late > 0
                then {{ raise_error("'The census has ' || hired_too_late || ' employees hired after " ~ (var('start_year') - 1) ~ "-12-31, the day before the simulation starts. To fix: start later or leave them out.'") }}
            when hired_as_children > 0
                then {{ raise_error("'The census has ' || hired_as_children || ' employees hired before the age of 14. To fix: check birth_date and hire_date.'") }}
            when unknown_levels > 0
                then {{ raise_error("'The census has ' || unknown_levels || ' employees whose job_level is not in config_job_levels. To fix: use those levels.'") }}
            when without_pay > 0
                then {{ raise_error("'The census has ' || without_pay || ' employees whose annual_compensation is not above zero. To fix: give the yearly base pay.'") }}
            when impossible_rates > 0
                then {{ raise_error("'The census has ' || impossible_rates || ' deferral_rate values outside 0 to 1. To fix: write 6 percent as 0.06.'") }}
            else true
        end as is_usable
    from census_counts

)

select
    census.employee_id,
    census.birth_date,
    census.hire_date,
    census.job_level,
    census.annual_compensation,
    census.department,
    census.deferral_rate,
    census.deferral_rate is not null as is_enrolled,
    case
        when census.deferral_rate is null
            then {{ eligibility_date('census.birth_date', 'census.hire_date') }}
        else least({{ eligibility_date('census.birth_date', 'census.hire_date') }}, {{ census_date() }})
    end as eligibility_date
from census
cross join guard
where guard.is_usable
