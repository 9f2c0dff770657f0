-- A number that changes with every change of the redaction rules, for monitoring, because
-- maintenance may not read the rules. It is below 2^53, so that a double can hold it.

create or replace function pgthreads.redaction_fingerprint()
returns bigint
language sql
stable
security definer
set search_path = pg_catalog, pg_temp
as $$
  select ('x' || left(md5(coalesce(string_agg(to_jsonb(r)::text, ',' order by r.name), '')), 12))
    ::bit(48)::bigint
  from pgthreads.redaction_rule as r;
$$;

comment on function pgthreads.redaction_fingerprint() is
  'A number that changes with the redaction rules.';
revoke all on function pgthreads.redaction_fingerprint() from public;
grant execute on function pgthreads.redaction_fingerprint() to pgthreads_maintenance;
