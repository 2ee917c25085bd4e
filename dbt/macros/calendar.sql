{% macro first_day_of_year() -%}
    cast('{{ var("simulation_year") }}-01-01' as date)
{%- endmacro %}

{% macro last_day_of_year() -%}
    cast('{{ var("simulation_year") }}-12-31' as date)
{%- endmacro %}

{% macro pay_review_date() -%}
    cast('{{ var("simulation_year") }}-04-01' as date)
{%- endmacro %}

{% macro days_in_year() -%}
    cast({{ last_day_of_year() }} - {{ first_day_of_year() }} + 1 as integer)
{%- endmacro %}

{% macro census_date() -%}
    cast('{{ var("start_year") - 1 }}-12-31' as date)
{%- endmacro %}

{% macro year_of(day) -%}
    cast(extract(year from {{ day }}) as integer)
{%- endmacro %}

{% macro eligibility_date(birth_date, hire_date) -%}
    greatest(
        {{ hire_date }} + {{ var('eligibility_wait_days') }},
        cast({{ birth_date }} + interval '{{ var("eligibility_minimum_age") }} years' as date)
    )
{%- endmacro %}

{% macro days_overlapping(first_day, last_day, from_day, to_day) -%}
    greatest(0, cast(least({{ last_day }}, {{ to_day }}) - greatest({{ first_day }}, {{ from_day }}) + 1 as integer))
{%- endmacro %}
