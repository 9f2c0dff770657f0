-- Merges JSON values from the first to the last, as merge_json() merges two. That is how a
-- message's metadata comes out of all its changes. Each key is looked at once for each value that
-- has it, so the time grows with the size of the values, and not with their number times the size
-- of the result.

create or replace function pgthreads.fold_json(p_values jsonb[])
returns jsonb
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_objects jsonb[];
begin
  if jsonb_typeof(p_values[cardinality(p_values)]) is distinct from 'object' then
    return p_values[cardinality(p_values)];
  end if;
  -- A value that is no object replaces all values before it, and the object after it replaces that
  -- one.
  select array_agg(v.value order by v.place) into v_objects
  from unnest(p_values) with ordinality as v (value, place)
  where v.place > (
    select coalesce(max(o.place), 0)
    from unnest(p_values) with ordinality as o (value, place)
    where jsonb_typeof(o.value) <> 'object'
  );
  if cardinality(v_objects) = 1 then
    return v_objects[1];
  end if;
  return (
    -- This goes through text, because jsonb_object_agg() takes quadratic time for one value of many
    -- strings.
    select ('{' || coalesce(string_agg(to_json(k.key)::text || ': ' || case
        when cardinality(k.values) = 1 then k.values[1]
        else pgthreads.fold_json(k.values)
      end::text, ', '), '') || '}')::jsonb
    from (
      select e.key, array_agg(e.value order by o.place) as values
      from unnest(v_objects) with ordinality as o (object, place)
      cross join jsonb_each(o.object) as e (key, value)
      group by e.key
    ) as k
  );
end;
$$;

comment on function pgthreads.fold_json(jsonb[]) is
  'Merges JSON values in their order, and the objects inside of them as well.';
revoke all on function pgthreads.fold_json(jsonb[]) from public, pgthreads_server;
