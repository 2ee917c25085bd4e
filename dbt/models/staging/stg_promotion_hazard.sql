select
    factor,
    band,
    multiplier
from {{ ref('config_promotion_hazard') }}
