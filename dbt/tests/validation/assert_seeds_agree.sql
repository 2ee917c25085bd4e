-- Hazards, profiles and enrollment behaviour name every band and level once, and shares add up to one.
with wanted as (

    select 'config_termination_hazard' as seed, 'age' as factor, age_band as band from {{ ref('stg_age_bands') }}
    union all
    select 'config_termination_hazard', 'tenure', tenure_band from {{ ref('stg_tenure_bands') }}
    union all
    select 'config_termination_hazard', 'base', 'all'
    union all
    select 'config_promotion_hazard', 'age', age_band from {{ ref('stg_age_bands') }}
    union all
    select 'config_promotion_hazard', 'tenure', tenure_band from {{ ref('stg_tenure_bands') }}
    union all
    select 'config_promotion_hazard', 'level', cast(job_level as varchar) from {{ ref('stg_job_levels') }}
    union all
    select 'config_promotion_hazard', 'base', 'all'
    union all
    select 'config_auto_enrollment', 'age', age_band from {{ ref('stg_age_bands') }}

),

given as (

    select 'config_termination_hazard' as seed, factor, band from {{ ref('stg_termination_hazard') }}
    union all
    select 'config_promotion_hazard', factor, band from {{ ref('stg_promotion_hazard') }}
    union all
    select 'config_auto_enrollment', 'age', age_band from {{ ref('stg_auto_enrollment') }}

),

differences as (

    select
        coalesce(wanted.seed, given.seed) || ': ' || coalesce(wanted.factor, given.factor) || ' '
        || coalesce(wanted.band, given.band) || case when given.seed is null then ' is missing' else ' is unknown' end as offence
    from wanted
    full outer join given
        on wanted.seed = given.seed
        and wanted.factor = given.factor
        and wanted.band = given.band
    where wanted.seed is null
        or given.seed is null

),

hire_shares as (

    select 'config_new_hire_profile: hire_share adds up to ' || sum(hire_share) as offence
    from {{ ref('stg_new_hire_profile') }}
    having sum(hire_share) <> 1

),

profile_levels as (

    select 'config_new_hire_profile: unknown level ' || job_level as offence
    from {{ ref('stg_new_hire_profile') }}
    where job_level not in (select job_level from {{ ref('stg_job_levels') }})

),

ordered_tiers as (

    select
        match_tier,
        deferral_from,
        lag(deferral_to) over (order by match_tier) as deferral_to_before,
        row_number() over (order by match_tier) as place
    from {{ ref('stg_match_formula') }}

),

match_tiers as (

    select 'config_match_formula: tier ' || match_tier || ' does not start where the one before ends' as offence
    from ordered_tiers
    where match_tier <> place
        or deferral_from <> coalesce(deferral_to_before, 0)

)

select offence from differences
union all
select offence from hire_shares
union all
select offence from profile_levels
union all
select offence from match_tiers
