with needs as (

    select
        job_level,
        hires,
        sum(hires) over (order by job_level) - hires as hires_before
    from {{ ref('int_workforce_needs') }}

),

numbered as (

    select
        needs.job_level,
        cast(needs.hires_before + places.place as integer) as hire_sequence
    from needs
    cross join lateral generate_series(1, needs.hires) as places (place)

),

drawn as (

    select
        job_level,
        'N{{ var("simulation_year") }}-' || lpad(cast(hire_sequence as varchar), 7, '0') as employee_id,
        hire_sequence,
        {{ uniform('new hire age group', 'hire_sequence') }} as age_group_draw,
        {{ uniform('new hire department', 'hire_sequence') }} as department_draw
    from numbered

),

age_groups as (

    select
        job_level,
        min_age,
        max_age,
        pay_position_min,
        pay_position_max,
        cast(sum(hire_share) over (partition by job_level order by min_age) as double precision)
        / cast(sum(hire_share) over (partition by job_level) as double precision) as share_to,
        cast(sum(hire_share) over (partition by job_level order by min_age) - hire_share as double precision)
        / cast(sum(hire_share) over (partition by job_level) as double precision) as share_from
    from {{ ref('stg_new_hire_profile') }}

),

department_sizes as (

    select
        department,
        count(*) as employees
    from {{ ref('int_workforce_previous_year') }}
    group by department

),

departments as (

    select
        department,
        cast(sum(employees) over (order by department collate "C") as double precision)
        / cast(sum(employees) over () as double precision) as share_to,
        cast(sum(employees) over (order by department collate "C") - employees as double precision)
        / cast(sum(employees) over () as double precision) as share_from
    from department_sizes

),

profiles as (

    select
        drawn.employee_id,
        drawn.hire_sequence,
        drawn.job_level,
        departments.department,
        age_groups.min_age + {{ uniform_integer('new hire age', 'drawn.hire_sequence', 'age_groups.max_age - age_groups.min_age + 1') }} as age_at_year_end,
        age_groups.pay_position_min,
        age_groups.pay_position_max
    from drawn
    inner join age_groups
        on drawn.job_level = age_groups.job_level
        and drawn.age_group_draw >= age_groups.share_from
        and drawn.age_group_draw < age_groups.share_to
    inner join departments
        on drawn.department_draw >= departments.share_from
        and drawn.department_draw < departments.share_to

),

hires as (

    select
        profiles.employee_id,
        profiles.hire_sequence,
        profiles.job_level,
        profiles.department,
        make_date(cast({{ var('simulation_year') }} - profiles.age_at_year_end as integer), 1, 1)
        + {{ uniform_integer('new hire birthday', 'profiles.hire_sequence', '365') }} as birth_date,
        {{ first_day_of_year() }} + {{ uniform_integer('hire date', 'profiles.hire_sequence', days_in_year() ~ ' - 1') }} as hire_date,
        parameters.range_min,
        parameters.range_max,
        profiles.pay_position_min + (profiles.pay_position_max - profiles.pay_position_min)
        * cast({{ uniform_integer('new hire pay', 'profiles.hire_sequence', '1001') }} * 0.001 as decimal(4, 3)) as pay_position
    from profiles
    inner join {{ ref('int_effective_parameters') }} as parameters
        on profiles.job_level = parameters.job_level
    where parameters.calendar_year = {{ var('simulation_year') }}

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    hire_sequence,
    birth_date,
    hire_date,
    job_level,
    department,
    cast(
        range_min + round(cast(range_max - range_min as decimal(18, 2)) * cast(pay_position as decimal(8, 5)), 2)
        as decimal(18, 2)
    ) as annual_compensation,
    {{ eligibility_date('birth_date', 'hire_date') }} as eligibility_date
from hires
