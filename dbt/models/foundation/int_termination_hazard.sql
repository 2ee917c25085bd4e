with multipliers as (

    select
        age_bands.age_band,
        tenure_bands.tenure_band,
        base.multiplier * by_age.multiplier * by_tenure.multiplier as base_rate
    from {{ ref('stg_age_bands') }} as age_bands
    cross join {{ ref('stg_tenure_bands') }} as tenure_bands
    inner join {{ ref('stg_termination_hazard') }} as base
        on base.factor = 'base'
    inner join {{ ref('stg_termination_hazard') }} as by_age
        on by_age.factor = 'age'
        and age_bands.age_band = by_age.band
    inner join {{ ref('stg_termination_hazard') }} as by_tenure
        on by_tenure.factor = 'tenure'
        and tenure_bands.tenure_band = by_tenure.band

),

rates as (

    select
        age_band,
        tenure_band,
        cast(round(base_rate, 9) as decimal(12, 9)) as base_rate
    from multipliers

)

select
    age_band,
    tenure_band,
    base_rate,
    cast(least(1, round(base_rate * cast({{ var('termination_multiplier') }} as decimal(18, 6)), 9)) as decimal(12, 9)) as termination_rate
from rates
