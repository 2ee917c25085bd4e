with multipliers as (

    select
        job_levels.job_level,
        age_bands.age_band,
        tenure_bands.tenure_band,
        base.multiplier * by_level.multiplier as level_rate,
        by_age.multiplier * by_tenure.multiplier as band_multiplier
    from {{ ref('stg_job_levels') }} as job_levels
    cross join {{ ref('stg_age_bands') }} as age_bands
    cross join {{ ref('stg_tenure_bands') }} as tenure_bands
    inner join {{ ref('stg_promotion_hazard') }} as base
        on base.factor = 'base'
    inner join {{ ref('stg_promotion_hazard') }} as by_level
        on by_level.factor = 'level'
        and cast(job_levels.job_level as varchar) = by_level.band
    inner join {{ ref('stg_promotion_hazard') }} as by_age
        on by_age.factor = 'age'
        and age_bands.age_band = by_age.band
    inner join {{ ref('stg_promotion_hazard') }} as by_tenure
        on by_tenure.factor = 'tenure'
        and tenure_bands.tenure_band = by_tenure.band

),

top_level as (

    select max(job_level) as job_level
    from {{ ref('stg_job_levels') }}

)

select
    multipliers.job_level,
    multipliers.age_band,
    multipliers.tenure_band,
    case
        when multipliers.job_level = top_level.job_level then cast(0 as decimal(12, 9))
        else cast(least(1, round(multipliers.level_rate * multipliers.band_multiplier, 9)) as decimal(12, 9))
    end as promotion_rate
from multipliers
cross join top_level
