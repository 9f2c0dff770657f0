-- Applies the redaction rules to every string in a JSON value, at any depth. The value comes and
-- goes as canonical text.

create or replace function pgthreads.redact_json_text(p_text text)
returns text
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return case
    when pgthreads.may_hold_secret(p_text) then pgthreads.redact_strings(p_text, false)
    else p_text
  end;
end;
$$;

comment on function pgthreads.redact_json_text(text) is
  'The canonical text of a JSON value with redact_text applied to each of its strings.';
revoke all on function pgthreads.redact_json_text(text) from public;
