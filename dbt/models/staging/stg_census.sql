select
{%- for column, data_type in census_columns().items() %}
    cast({{ column }} as {{ data_type }}) as {{ column }}{{ ',' if not loop.last }}
{%- endfor %}
from {% if var('census_path') %}{{ read_census(var('census_path')) }}{% else %}{{ ref('census') }}{% endif %} as census
