-- Every string in a JSON value through redact_text(), at any depth. Works on the tokens of the
-- canonical text and not by recursion, so that depth costs no stack; a string in front of a colon is
-- a key and stays. Each string is decoded before a rule sees it.

create or replace function pgthreads.redact_json(p_value jsonb)
returns jsonb
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_screen text := (select c.redaction_screen from pgthreads.config as c);
  v_text text := p_value::text;
begin
  if v_screen is null or v_text !~ v_screen then
    return p_value;
  end if;
  return (
    select string_agg(
      case
        when t.token[1] is null then t.token[2]
        when t.token[1] !~ v_screen then t.token[1]
        else to_jsonb(pgthreads.redact_text(t.token[1]::jsonb #>> '{}'))::text
      end, '' order by t.place)::jsonb
    from regexp_matches(
      v_text, '("(?:[^"\\]|\\.)*")(?!:)|("(?:[^"\\]|\\.)*":|[^"]+)', 'g')
      with ordinality as t (token, place)
  );
end;
$$;

comment on function pgthreads.redact_json(jsonb) is
  'The value with redact_text applied to each of its strings; keys stay.';
revoke all on function pgthreads.redact_json(jsonb) from public;
grant execute on function pgthreads.redact_json(jsonb) to pgthreads_server;
