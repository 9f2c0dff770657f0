-- Returns UIMessages, as canonical text, without secrets, in their order: REDACT_BEFORE_PERSIST.
-- Ids, types, states and the bodies of data URLs stay as they are; every other string goes through
-- the rules. All strings of all messages go through them together, because a call for each message
-- costs several times as much as the rules do.

create or replace function pgthreads.redact_bodies(p_bodies text[])
returns text[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := array_to_string(p_bodies, chr(1));
  v_redacted text := pgthreads.redact_strings(v_text, true);
begin
  return case when v_redacted = v_text then p_bodies else string_to_array(v_redacted, chr(1)) end;
end;
$$;

comment on function pgthreads.redact_bodies(text[]) is
  'The texts of UIMessages with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_bodies(text[]) from public;
