select
    match_formula,
    tier as match_tier,
    deferral_from,
    deferral_to,
    match_rate
from {{ ref('config_match_formula') }}
where match_formula = '{{ var("match_formula") }}'
