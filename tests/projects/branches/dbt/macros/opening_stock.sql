{% macro opening_stock() %}
    {%- if var('yr') == var('first_yr') -%}
        select kind, stock from {{ ref('opening') }}
    {%- else -%}
        select kind, stock from {{ this }} where yr = {{ var('yr') }} - 1
    {%- endif -%}
{% endmacro %}
