{% macro census_columns() -%}
    {{ return({
        'employee_id': 'varchar',
        'birth_date': 'date',
        'hire_date': 'date',
        'job_level': 'integer',
        'annual_compensation': 'decimal(18,2)',
        'department': 'varchar',
        'deferral_rate': 'decimal(6,4)',
    }) }}
{%- endmacro %}

{% macro read_census(path) -%}
    {{ return(adapter.dispatch('read_census', 'workforce_simulation')(path)) }}
{%- endmacro %}

{% macro postgres__read_census(path) -%}
    {{ exceptions.raise_compiler_error(
        "census_path reads files with DuckDB only. To fix: replace dbt/seeds/census.csv with your census and leave census_path empty."
    ) }}
{%- endmacro %}

{% macro default__read_census(path) -%}
    {%- set quoted = "'" ~ (path | replace("'", "''")) ~ "'" -%}
    {%- if path.lower().endswith('.parquet') -%}
        {%- set raw = 'read_parquet(' ~ quoted ~ ')' -%}
    {%- elif path.lower().endswith(('.csv', '.csv.gz')) -%}
        {%- set raw = 'read_csv(' ~ quoted ~ ", header = true, all_varchar = true, nullstr = '')" -%}
    {%- else -%}
        {{ exceptions.raise_compiler_error(
            "census_path is '" ~ path ~ "'; a census file ends in .csv, .csv.gz or .parquet. To fix: convert or rename it."
        ) }}
    {%- endif -%}
    {%- if execute -%}
        {%- if run_query('select 1 from glob(' ~ quoted ~ ')').rows | length == 0 -%}
            {{ exceptions.raise_compiler_error(
                "There is no census file " ~ path ~ ". To fix: correct vars.census_path (a relative path starts at the "
                ~ "folder that holds config/), or leave it empty to take the shipped census."
            ) }}
        {%- endif -%}
        {%- set found = run_query('describe select * from ' ~ raw).columns[0].values() | map('lower') | list -%}
        {%- set missing = census_columns().keys() | reject('in', found) | list -%}
        {%- if missing -%}
            {{ exceptions.raise_compiler_error(
                "The census " ~ path ~ " lacks the columns " ~ missing | join(', ') ~ "; it has " ~ found | join(', ')
                ~ ". To fix: add them (docs/simulation.md, Your own census)."
            ) }}
        {%- endif -%}
    {%- endif -%}
    {{ raw }}
{%- endmacro %}
