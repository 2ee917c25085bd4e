{% macro scaled(column) %}{% if var('factor') > 1 %}{{ column }} * 100{% else %}{{ column }}{% endif %}{% endmacro %}
{% macro shown(value) %}{{ value }}{% endmacro %}
