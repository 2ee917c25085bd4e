{% macro total(column) %}sum({{ column }}){% endmacro %}

{% macro rows_of(relation) %}
{%- if execute -%}
{%- call statement('rows_there', fetch_result=True) -%}select count(*) from {{ relation }}{%- endcall -%}
{{ load_result('rows_there')['data'][0][0] }}
{%- else -%}0{%- endif -%}
{% endmacro %}

{% materialization yearly_copy, adapter='duckdb' %}
  {% set target = this.incorporate(type='table') %}
  {% call statement('main') %}create or replace table {{ target }} as select *, {{ var('yr') }} as copied from ({{ sql }}){% endcall %}
  {% do adapter.commit() %}
  {{ return({'relations': [target]}) }}
{% endmaterialization %}
