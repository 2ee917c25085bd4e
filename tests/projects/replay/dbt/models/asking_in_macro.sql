select {{ var('yr') }} as yr, {{ rows_of(ref('appended')) }} as rows_there
