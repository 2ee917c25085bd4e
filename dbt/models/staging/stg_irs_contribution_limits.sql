select
    calendar_year,
    elective_deferral_limit,
    catch_up_limit,
    catch_up_age,
    coalesce(enhanced_catch_up_limit, catch_up_limit) as enhanced_catch_up_limit,
    enhanced_catch_up_min_age,
    enhanced_catch_up_max_age,
    compensation_limit,
    is_projected,
    source as limit_source
from {{ ref('irs_contribution_limits') }}
