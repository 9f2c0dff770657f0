-- Applies the redaction rules to every string in a JSON value, at any depth: redact_json_text() for
-- jsonb. A value in which nothing is found is returned as it is.

create or replace function pgthreads.redact_json(p_value jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text;
  v_redacted text;
begin
  if pg_column_size(p_value) > 32768 or not pgthreads.has_plain_numbers(p_value) then
    perform pgthreads.require_printable(p_value);
  end if;
  v_text := p_value::text;
  v_redacted := pgthreads.redact_json_text(v_text);
  return case when v_redacted = v_text then p_value else v_redacted::jsonb end;
end;
$$;

comment on function pgthreads.redact_json(jsonb) is
  'The value with redact_text applied to each of its strings; keys stay as they are.';
revoke all on function pgthreads.redact_json(jsonb) from public;
grant execute on function pgthreads.redact_json(jsonb) to pgthreads_server;
