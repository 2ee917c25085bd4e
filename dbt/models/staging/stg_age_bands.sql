select
    age_band,
    min_age,
    coalesce(max_age, 999) as max_age
from {{ ref('config_age_bands') }}
