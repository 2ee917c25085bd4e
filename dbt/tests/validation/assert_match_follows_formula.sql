-- The match of every contributor, recomputed tier by tier from the seed, to the cent; nobody else has one.
with tiers as (

    select
        deferral_from,
        deferral_to,
        match_rate
    from {{ ref('config_match_formula') }}
    where match_formula = '{{ var("match_formula") }}'

),

expected as (

    select
        contributions.employee_id,
        cast(round(sum(
            tiers.match_rate * greatest(
                0,
                least(contributions.employee_contribution, contributions.limited_compensation * tiers.deferral_to)
                - contributions.limited_compensation * tiers.deferral_from
            )
        ), 2) as decimal(18, 2)) as employer_match
    from {{ ref('int_employee_contributions') }} as contributions
    cross join tiers
    where contributions.simulation_year = {{ var('simulation_year') }}
        and contributions.employee_contribution > 0
    group by contributions.employee_id

),

actual as (

    select
        employee_id,
        employer_match
    from {{ ref('int_employer_match') }}
    where simulation_year = {{ var('simulation_year') }}

)

select
    coalesce(expected.employee_id, actual.employee_id) as employee_id,
    expected.employer_match as expected_match,
    actual.employer_match as actual_match
from expected
full outer join actual
    on expected.employee_id = actual.employee_id
where expected.employee_id is null
    or actual.employee_id is null
    or expected.employer_match <> actual.employer_match
