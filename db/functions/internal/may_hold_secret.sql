-- Whether a text, which is serialised JSON, may hold what a redaction rule looks for. In doubt it
-- says yes, also if redaction_screen has no row. ready_messages() asks the same, with a first look
-- before it.

create or replace function pgthreads.may_hold_secret(p_json text)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  return coalesce((
    select p_json ~ s.screen
      or octet_length(p_json) > char_length(p_json) and p_json ~ s.folded
    from pgthreads.redaction_screen as s
  ), true);
end;
$$;

comment on function pgthreads.may_hold_secret(text) is
  'Whether the screens of redaction rules match the text, or may do so when it is folded.';
revoke all on function pgthreads.may_hold_secret(text) from public;
