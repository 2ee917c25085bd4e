-- The simulated year has contribution limits and, for every level, raises.
with offences as (

    select 'irs_contribution_limits does not cover the year' as offence
    where not exists (
        select 1 from {{ ref('stg_irs_contribution_limits') }} where calendar_year = {{ var('simulation_year') }}
    )

    union all

    select 'comp_levers does not cover level ' || job_level as offence
    from {{ ref('stg_job_levels') }}
    where job_level not in (
        select job_level from {{ ref('stg_comp_levers') }} where calendar_year = {{ var('simulation_year') }}
    )

)

select
    offence,
    {{ var('simulation_year') }} as simulation_year
from offences
