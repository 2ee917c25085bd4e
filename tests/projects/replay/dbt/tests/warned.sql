{{ config(severity='warn') }}
select * from {{ ref('appended') }} where yr = {{ var('yr') }} and yr > 1
