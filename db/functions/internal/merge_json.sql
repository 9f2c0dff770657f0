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
    -- This goes through text, because jsonb_object_agg() takes quadratic time for one value of many
    -- strings.
    select ('{' || coalesce(string_agg(to_json(c.key)::text || ': '
      || pgthreads.merge_json(p_value -> c.key, c.value)::text, ', '), '') || '}')::jsonb
    from jsonb_each(p_changes) as c (key, value)
  );
end;
$$;

comment on function pgthreads.merge_json(jsonb, jsonb) is
  'Merges the second JSON value into the first, and the objects inside of them as well.';
revoke all on function pgthreads.merge_json(jsonb, jsonb) from public, pgthreads_server;
