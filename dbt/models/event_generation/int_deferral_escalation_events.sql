with participants as (

    select
        spells.employee_id,
        spells.job_level,
        spells.deferral_rate as old_deferral_rate,
        cast(least(spells.deferral_rate + choices.escalation_rate, choices.escalation_cap) as decimal(6, 4)) as new_deferral_rate
    from {{ ref('int_employment_spells') }} as spells
    inner join {{ ref('stg_age_bands') }} as age_bands
        on spells.age_at_year_end between age_bands.min_age and age_bands.max_age
    inner join {{ ref('stg_auto_enrollment') }} as choices
        on age_bands.age_band = choices.age_band
    where spells.is_enrolled
        and spells.enrollment_method = 'auto'

)

select
    cast({{ var('simulation_year') }} as integer) as simulation_year,
    employee_id,
    {{ first_day_of_year() }} as escalation_date,
    job_level,
    old_deferral_rate,
    new_deferral_rate
from participants
where new_deferral_rate > old_deferral_rate
