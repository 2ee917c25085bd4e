{#- One scan for everything a table promises row by row: its key is complete and unique, and every named condition holds.
    A row of the result names the offence. Tables partitioned by year are looked at for the current year only. -#}
{% test valid_rows(model, key, conditions={}, not_null=[], current_year=true) %}

with rows_to_check as (

    select *
    from {{ model }}
    {% if current_year -%}
    where simulation_year = {{ var('simulation_year') }}
    {%- endif %}

),

repeated_keys as (

    select
        'key is not unique: {{ key | join(", ") }}' as offence,
        count(*) as offending_rows
    from rows_to_check
    group by {{ key | join(', ') }}
    having count(*) > 1

),

row_counts as (

    select
        count(*) as all_rows
        {%- for column in key + not_null %},
        count({{ column }}) as with_{{ column }}
        {%- endfor %}
        {%- for name, condition in conditions.items() %},
        count(case when ({{ condition }}) then null else 1 end) as failing_{{ loop.index }}
        {%- endfor %}
    from rows_to_check

),

offences as (

    select
        offence,
        sum(offending_rows) as offending_rows
    from repeated_keys
    group by offence
    {%- for column in key + not_null %}

    union all

    select '{{ column }} is null' as offence, all_rows - with_{{ column }} as offending_rows
    from row_counts
    {%- endfor %}
    {%- for name, condition in conditions.items() %}

    union all

    select '{{ name }}' as offence, failing_{{ loop.index }} as offending_rows
    from row_counts
    {%- endfor %}

)

select
    offence,
    offending_rows
from offences
where offending_rows > 0

{% endtest %}
