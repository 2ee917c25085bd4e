{#- Every whole number from 0 upwards lies in exactly one band: the first starts at 0, each next one starts
    where the one before ended, and the last is open. -#}
{% test bands_cover(model, minimum, maximum) %}

with bands as (

    select
        {{ minimum }} as minimum,
        {{ maximum }} as maximum,
        lag({{ maximum }}) over (order by {{ minimum }}) as maximum_before,
        row_number() over (order by {{ minimum }}) as place,
        count(*) over () as places
    from {{ model }}

)

select
    minimum,
    maximum,
    maximum_before
from bands
where (place = 1 and minimum <> 0)
    or (place > 1 and (maximum_before is null or minimum <> maximum_before + 1))
    or (place = places and maximum is not null)
    or (place < places and maximum is null)
    or maximum < minimum

{% endtest %}
