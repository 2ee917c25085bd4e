{% macro raise_error(message) -%}
    {{ return(adapter.dispatch('raise_error', 'workforce_simulation')(message)) }}
{%- endmacro %}

{% macro default__raise_error(message) -%}
    cast(error({{ message }}) as boolean)
{%- endmacro %}

{% macro postgres__raise_error(message) -%}
    {#- The empty text keeps PostgreSQL from working the cast out while it plans. -#}
    cast({{ message }} || substr(cast(clock_timestamp() as varchar), 1, 0) as boolean)
{%- endmacro %}
