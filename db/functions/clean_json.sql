-- JSON text to jsonb, also where jsonb would refuse it: U+0000 and lone surrogates, which models and
-- tools do produce, become U+FFFD. The text is read escape by escape from the left, so that an
-- escaped backslash in front of a `u` is not taken for an escape.

create or replace function pgthreads.clean_json(p_text text)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  -- In PL/pgSQL, which keeps its plans: a function in SQL would be planned at each answer.
  if strpos(p_text, '\u') = 0 then
    return p_text::jsonb;
  end if;
  if p_text !~* '\\u(0000|d[89a-f])' then
    return p_text::jsonb;
  end if;
  return (
    select string_agg(
      case
        when t.token[1] ~ '^\\u(0000|[dD][89abAB].{2}$|[dD][c-fC-F])' then '\ufffd'
        else t.token[1]
      end, '' order by t.ordinality)::jsonb
    from regexp_matches(
      p_text,
      '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}'
      || '|\\u[0-9a-fA-F]{4}|\\.|[^\\]+|\\',
      'g') with ordinality as t (token, ordinality)
  );
end;
$$;

comment on function pgthreads.clean_json(text) is
  'JSON text to jsonb, with U+FFFD for U+0000 and lone surrogates.';
revoke all on function pgthreads.clean_json(text) from public;
grant execute on function pgthreads.clean_json(text) to pgthreads_server;
