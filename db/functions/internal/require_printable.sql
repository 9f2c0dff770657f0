-- Refuses JSON whose text would be many times longer than the value, before anything prints it:
-- `1e300` takes eight bytes as jsonb and 301 as text. When a message or metadata is stored,
-- require_storable() has refused it already; this is for programs that call a redaction function
-- directly.

create or replace function pgthreads.require_printable(p_value jsonb)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if not pgthreads.is_short(p_value, (
    select least(2147483647, greatest(
      c.max_message_bytes, 4194304, pg_column_size(p_value) * 4::bigint))::int
    from pgthreads.config as c
  )) then
    raise exception 'the value is too long as text' using
      errcode = 'THMAX',
      detail = format('Numbers in it make its text many times longer than its %s bytes.',
        pg_column_size(p_value)),
      hint = 'Pass such numbers as strings.';
  end if;
end;
$$;

comment on function pgthreads.require_printable(jsonb) is
  'Raises THMAX for JSON whose numbers would make its text many times longer.';
revoke all on function pgthreads.require_printable(jsonb) from public;
