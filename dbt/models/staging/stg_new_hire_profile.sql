select
    job_level,
    min_age,
    max_age,
    hire_share,
    pay_position_min,
    pay_position_max
from {{ ref('config_new_hire_profile') }}
