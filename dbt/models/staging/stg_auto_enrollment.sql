select
    age_band,
    {% if var('auto_enroll_default_rate') is none -%}
    default_deferral_rate,
    {%- else -%}
    cast({{ var('auto_enroll_default_rate') }} as decimal(6, 4)) as default_deferral_rate,
    {%- endif %}
    opt_out_rate,
    first_year_enrollment_rate,
    later_enrollment_rate,
    voluntary_deferral_rate,
    escalation_rate,
    escalation_cap
from {{ ref('config_auto_enrollment') }}
