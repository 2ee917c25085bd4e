{% set appended = ref('appended') %}
{% if execute %}{% set rows = run_query('select count(*) from ' ~ appended).columns[0].values()[0] %}{% endif %}
select {{ var('yr') }} as yr, {{ rows or 0 }} as rows_there
