select 'north' as region, {{ cents.to_cents('0.12345') }} as rate union all select 'south', {{ to_cents('0.2') }}
