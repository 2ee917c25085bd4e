{% macro this_period() %}{{ var('period') }}{% endmacro %}
