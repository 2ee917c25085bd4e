select
    tenure_band,
    min_tenure,
    coalesce(max_tenure, 999) as max_tenure
from {{ ref('config_tenure_bands') }}
