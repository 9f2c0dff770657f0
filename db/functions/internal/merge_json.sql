-- Merges one JSON object into another, and the objects inside of them as well. That is how the AI
-- SDK merges a message's metadata (mergeObjects). Anything but an object replaces what was there.

create or replace function pgthreads.merge_json(p_value jsonb, p_changes jsonb)
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_changes is null then
    return p_value;
  end if;
  if jsonb_typeof(p_value) is distinct from 'object' or jsonb_typeof(p_changes) <> 'object' then
    return p_changes;
  end if;
  return p_value || (
    select coalesce(jsonb_object_agg(c.key, pgthreads.merge_json(p_value -> c.key, c.value)), '{}')
    from jsonb_each(p_changes) as c (key, value)
  );
end;
$$;

comment on function pgthreads.merge_json(jsonb, jsonb) is
  'Merges the second JSON value into the first, and the objects inside of them as well.';
revoke all on function pgthreads.merge_json(jsonb, jsonb) from public, pgthreads_server;
