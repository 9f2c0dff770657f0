-- Refuses a status that a turn cannot end with. abandoned is none of them, because a turn does not
-- give itself up.

create or replace function pgthreads.require_end_status(p_status text)
returns void
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_status is null or p_status not in ('completed', 'stopped', 'failed') then
    raise exception 'not a status that a turn can end with' using
      errcode = 'invalid_parameter_value',
      detail = format('p_status is %s.', coalesce(quote_literal(left(p_status, 80)), 'null')),
      hint = 'Pass completed, stopped or failed.';
  end if;
end;
$$;

comment on function pgthreads.require_end_status(text) is
  'Raises unless the argument is a status that a turn can end with.';
revoke all on function pgthreads.require_end_status(text) from public;
