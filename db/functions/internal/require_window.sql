-- Refuses a window of messages that does not count from 1.

create or replace function pgthreads.require_window(p_last int, p_before_seq int)
returns void
language plpgsql
immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_last < 1 or p_before_seq < 1 then
    raise exception 'not a window of messages' using
      errcode = 'invalid_parameter_value',
      detail = format('last is %s, before_seq is %s.', coalesce(p_last::text, 'null'),
        coalesce(p_before_seq::text, 'null')),
      hint = 'Pass numbers from 1 on, or null for no bound.';
  end if;
end;
$$;

comment on function pgthreads.require_window(int, int) is
  'Raises invalid_parameter_value unless both bounds are null or at least 1.';
revoke all on function pgthreads.require_window(int, int) from public;
