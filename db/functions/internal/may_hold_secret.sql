-- Whether a text, which is serialised JSON, may hold what a redaction rule looks for. In doubt it
-- says yes, also if redaction_screen has no row; but where the whole schema has no data, there are
-- no rules that could find anything, so it refuses. ready_messages() asks the same, with a first
-- look before it.

create or replace function pgthreads.may_hold_secret(p_json text)
returns boolean
language plpgsql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_may boolean;
begin
  select p_json ~ s.screen
    or octet_length(p_json) > char_length(p_json) and p_json ~ s.folded
  into v_may
  from pgthreads.redaction_screen as s;
  if not found then
    perform pgthreads.require_installed();
  end if;
  return coalesce(v_may, true);
end;
$$;

comment on function pgthreads.may_hold_secret(text) is
  'Whether the screens of redaction rules match the text, or may do so when it is folded.';
revoke all on function pgthreads.may_hold_secret(text) from public;
