{% macro divide_half_up(numerator, denominator) -%}
    {{ return(adapter.dispatch('divide_half_up', 'workforce_simulation')(numerator, denominator)) }}
{%- endmacro %}

{% macro default__divide_half_up(numerator, denominator) -%}
    ((2 * ({{ numerator }}) + {{ denominator }}) // (2 * {{ denominator }}))
{%- endmacro %}

{% macro postgres__divide_half_up(numerator, denominator) -%}
    ((2 * ({{ numerator }}) + {{ denominator }}) / (2 * {{ denominator }}))
{%- endmacro %}

{% macro pay_between(opening_pay, closing_pay, first_day, last_day) -%}
    cast(
        {{ divide_half_up(
            'cast(' ~ opening_pay ~ ' * 100 as bigint) * '
            ~ days_overlapping(first_day, last_day, first_day_of_year(), pay_review_date() ~ ' - 1')
            ~ ' + cast(' ~ closing_pay ~ ' * 100 as bigint) * '
            ~ days_overlapping(first_day, last_day, pay_review_date(), last_day_of_year()),
            days_in_year()
        ) }} * 0.01 as decimal(18, 2)
    )
{%- endmacro %}

{% macro average(total, number) -%}
    cast(
        coalesce({{ divide_half_up('cast(' ~ total ~ ' * 100 as bigint)', 'nullif(' ~ number ~ ', 0)') }}, 0)
        * 0.01 as decimal(18, 2)
    )
{%- endmacro %}

{% macro share(part, whole) -%}
    cast(
        coalesce({{ divide_half_up('cast(' ~ part ~ ' * 1000000 as bigint)', 'nullif(cast(' ~ whole ~ ' as bigint), 0)') }}, 0)
        * 0.000001 as decimal(9, 6)
    )
{%- endmacro %}
