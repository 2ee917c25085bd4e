{% macro note(name) %}{{ adapter.dispatch('note', 'hooks')(name) }}{% endmacro %}

{% macro default__note(name) %}insert into {{ target.schema }}.{{ name }} values ({{ var('yr') }}, '{{ var("source") }}'){% endmacro %}

{% macro remove(relation) %}{% if is_incremental() %}delete from {{ relation }} where yr = {{ var('yr') }}{% endif %}{% endmacro %}

{% macro rows_of(relation) %}{% if execute %}{{ run_query('select count(*) from ' ~ relation).columns[0][0] }}{% else %}0{% endif %}{% endmacro %}
