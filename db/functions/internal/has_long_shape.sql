-- Whether a large value has the shape of a UIMessage: has_message_shape() for some hundred parts at
-- a time. A path keeps all that it compares in memory until it ends, up to 3 KB for each part, so
-- that a megabyte of the shortest parts would take 200 MB. Parts of other types than it knows are
-- left out, because there is nothing to look at.

create or replace function pgthreads.has_long_shape(p_message jsonb)
returns boolean
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(p_message) <> 'object'
    or jsonb_typeof(p_message -> 'parts') is distinct from 'array'
  then
    return false;
  end if;
  return pgthreads.has_message_shape((p_message - 'parts') || jsonb_build_object('parts', case
      when p_message -> 'parts' = '[]' then '[]'
      else '[{"type": "step-start"}]'
    end::jsonb))
    and not exists (
      select
      from (
        select to_jsonb(array_agg(e.part)) as parts
        from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
        where pgthreads.is_known_part(e.part)
        group by e.place / 500
      ) as c
      where not pgthreads.has_message_shape(
        jsonb_build_object('id', '-', 'role', 'assistant', 'parts', c.parts))
    );
end;
$$;

comment on function pgthreads.has_long_shape(jsonb) is
  'Whether the large value has the members and parts of a UIMessage.';
revoke all on function pgthreads.has_long_shape(jsonb) from public;
