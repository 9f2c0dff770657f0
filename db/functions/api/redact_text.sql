-- Applies all enabled rules, in their order, to one decoded string, unless their screens say that
-- it holds no secret. The result is what becomes of the string in a message, so a wrong screen
-- shows here as well.

create or replace function pgthreads.redact_text(p_text text)
returns text
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_text is null or not pgthreads.may_hold_secret(to_jsonb(p_text)::text) then
    return p_text;
  end if;
  return (pgthreads.redact_texts(array[p_text]))[1];
end;
$$;

comment on function pgthreads.redact_text(text) is
  'The text with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_text(text) from public;
grant execute on function pgthreads.redact_text(text) to pgthreads_server;
