{#- Every row of the current year points to a row of the other table of the same year. -#}
{% test references_rows_of(model, column, parent, parent_column=none) %}

select child.{{ column }}
from {{ model }} as child
left join (
    select {{ parent_column or column }} as parent_key
    from {{ parent }}
    where simulation_year = {{ var('simulation_year') }}
) as parent
    on child.{{ column }} = parent.parent_key
where child.simulation_year = {{ var('simulation_year') }}
    and parent.parent_key is null

{% endtest %}
