select
    calendar_year,
    job_level,
    merit_rate,
    cost_of_living_rate
from {{ ref('comp_levers') }}
