-- Refuses a size of a batch that is null, too small or too large.

create or replace function pgthreads.require_batch(p_batch int)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_batch is null or p_batch not between 1 and 10000 then
    raise exception 'not a batch size' using
      errcode = 'invalid_parameter_value',
      detail = format('p_batch is %s.', coalesce(p_batch::text, 'null')),
      hint = 'Pass 1 to 10000, and repeat the call for more.';
  end if;
end;
$$;

comment on function pgthreads.require_batch(int) is
  'Raises invalid_parameter_value unless the argument is between 1 and 10000.';
revoke all on function pgthreads.require_batch(int) from public;
grant execute on function pgthreads.require_batch(int) to pgthreads_maintenance;
