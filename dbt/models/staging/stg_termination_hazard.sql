select
    factor,
    band,
    multiplier
from {{ ref('config_termination_hazard') }}
