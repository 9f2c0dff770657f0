-- One JSON object laid over another, objects inside of them too: how the AI SDK merges the metadata
-- of a message (mergeObjects). Anything but an object replaces what was there.

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
  'The first JSON value with the second laid over it, objects within objects too.';
revoke all on function pgthreads.merge_json(jsonb, jsonb) from public;
grant execute on function pgthreads.merge_json(jsonb, jsonb) to pgthreads_server;
