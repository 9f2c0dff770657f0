-- A thread's metadata after the keys of another object, redacted, were merged into it.

create or replace function pgthreads.merge_metadata(p_metadata jsonb, p_changes jsonb)
returns jsonb
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_limit constant int := 65536;
  v_bytes int;
  v_metadata jsonb;
begin
  if jsonb_typeof(p_changes) is distinct from 'object' then
    raise exception 'the metadata is not an object' using
      errcode = 'THMSG',
      detail = format('p_metadata is of type %s.', jsonb_typeof(p_changes)),
      hint = pgthreads.json_hint(p_changes, 'object',
        'Pass a jsonb object, or null to leave the metadata as it is.');
  end if;
  perform pgthreads.require_storable(p_changes, 'p_metadata', v_limit);
  -- Changes that are too large are refused without redacting them.
  v_bytes := octet_length(p_changes::text);
  if v_bytes <= v_limit then
    v_metadata := p_metadata || pgthreads.redact_json(p_changes);
    v_bytes := octet_length(v_metadata::text);
  end if;
  if v_bytes > v_limit then
    raise exception 'the metadata is too large' using
      errcode = 'THMAX',
      detail = format('It would have %s bytes; the limit is %s.', v_bytes, v_limit),
      hint = 'Keep large values in a table of your own that refers to thread.id.';
  end if;
  return v_metadata;
end;
$$;

comment on function pgthreads.merge_metadata(jsonb, jsonb) is
  'Merges the redacted keys of the second object into the first; the result has at most 64 KiB.';
revoke all on function pgthreads.merge_metadata(jsonb, jsonb) from public;
