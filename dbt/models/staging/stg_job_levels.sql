select
    job_level,
    level_name,
    range_min,
    range_max,
    promotion_raise_rate
from {{ ref('config_job_levels') }}
