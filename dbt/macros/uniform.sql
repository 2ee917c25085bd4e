{% macro uniform(purpose, key) -%}
    {{ return(adapter.dispatch('uniform', 'workforce_simulation')(purpose, key)) }}
{%- endmacro %}

{% macro draw_digest(purpose, key) -%}
    substr(md5('{{ var("random_seed") }}|{{ purpose }}|' || cast({{ key }} as varchar) || '|{{ var("simulation_year") }}'), 1, 13)
{%- endmacro %}

{% macro default__uniform(purpose, key) -%}
    (cast(cast('0x' || {{ workforce_simulation.draw_digest(purpose, key) }} as bigint) as double) / 4503599627370496)
{%- endmacro %}

{% macro postgres__uniform(purpose, key) -%}
    (cast(('x' || {{ workforce_simulation.draw_digest(purpose, key) }})::bit(52)::bigint as double precision) / 4503599627370496)
{%- endmacro %}

{% macro uniform_integer(purpose, key, below) -%}
    cast(floor({{ uniform(purpose, key) }} * ({{ below }})) as integer)
{%- endmacro %}
