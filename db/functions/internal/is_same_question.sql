-- Whether a stored user message says what a page shows. The page may hold it as it was before
-- redaction, and a redaction rule may have been enabled since it was stored. So the two count as
-- the same if they are the same once the present rules have redacted both.

create or replace function pgthreads.is_same_question(p_stored jsonb, p_shown jsonb)
returns boolean
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_stored jsonb := pgthreads.question_content(p_stored);
  v_shown jsonb := pgthreads.question_content(p_shown);
begin
  return v_stored = v_shown
    or pgthreads.redact_message(v_stored) = pgthreads.redact_message(v_shown);
end;
$$;

comment on function pgthreads.is_same_question(jsonb, jsonb) is
  'Whether a stored user message says the same as the one that a page shows, redaction aside.';
revoke all on function pgthreads.is_same_question(jsonb, jsonb) from public;
