-- The limit is counted in bytes of text, exactly.
begin;
select plan(8);
\ir ../helpers.psql

create function test.storable(p_value jsonb, p_bytes int) returns text language plpgsql as $$
begin
  perform pgthreads.require_storable(p_value, 'it', p_bytes);
  return 'stored';
exception
  when others then
    return sqlstate;
end;
$$;

select is(
  test.storable(v.value, octet_length(v.value::text) - f.fewer), f.wanted,
  format('%s with %s bytes too few', v.name, f.fewer)
)
from (values
  ('a long string', to_jsonb(repeat('x', 100000))),
  ('a small object', jsonb_build_object('a', 1)),
  ('many numbers', to_jsonb(array(select g from generate_series(1, 20000) as g))),
  ('large numbers', to_jsonb(array(select 1e200 from generate_series(1, 100))))
) as v (name, value)
cross join (values (0, 'stored'), (1, 'THMAX')) as f (fewer, wanted);

select * from finish();
rollback;
