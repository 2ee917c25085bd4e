with tiers as (

    select
        max(match_formula) as match_formula,
        max(case when match_tier = 1 then deferral_to else 0 end) as first_to,
        max(case when match_tier = 1 then match_rate else 0 end) as first_rate,
        max(case when match_tier = 2 then deferral_from else 0 end) as second_from,
        max(case when match_tier = 2 then deferral_to else 0 end) as second_to,
        max(case when match_tier = 2 then match_rate else 0 end) as second_rate,
        max(case when match_tier = 3 then deferral_from else 0 end) as third_from,
        max(case when match_tier = 3 then deferral_to else 0 end) as third_to,
        max(case when match_tier = 3 then match_rate else 0 end) as third_rate
    from {{ ref('stg_match_formula') }}

),

contributions as (

    select
        simulation_year,
        employee_id,
        limited_compensation as pay,
        employee_contribution
    from {{ ref('int_employee_contributions') }}
    where simulation_year = {{ var('simulation_year') }}
        and employee_contribution > 0

),

matched as (

    select
        contributions.simulation_year,
        contributions.employee_id,
        tiers.match_formula,
        contributions.employee_contribution,
        least(employee_contribution, pay * tiers.first_to) * tiers.first_rate
        + (least(employee_contribution, pay * tiers.second_to) - least(employee_contribution, pay * tiers.second_from)) * tiers.second_rate
        + (least(employee_contribution, pay * tiers.third_to) - least(employee_contribution, pay * tiers.third_from)) * tiers.third_rate
        as exact_match
    from contributions
    cross join tiers

)

select
    simulation_year,
    employee_id,
    cast(match_formula as varchar) as match_formula,
    employee_contribution,
    cast(round(exact_match, 2) as decimal(18, 2)) as employer_match
from matched
