-- A message as a link shows it: what was said, without what belongs to the application or to a
-- model's provider. Of the metadata only the status stays, which says that an answer is incomplete.

create or replace function pgthreads.shared_message(p_message jsonb)
returns jsonb
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select p_message - 'metadata'
    || jsonb_build_object('parts', coalesce((
      select to_jsonb(array_agg(case
        when jsonb_typeof(e.part) = 'object' then e.part
          - array['providerMetadata', 'callProviderMetadata', 'resultProviderMetadata']
        else e.part
      end order by e.place))
      from jsonb_array_elements(p_message -> 'parts') with ordinality as e (part, place)
    ), '[]'))
    || case
      when p_message #> '{metadata,status}' is null then '{}'
      else jsonb_build_object('metadata',
        jsonb_build_object('status', p_message #> '{metadata,status}'))
    end;
$$;

comment on function pgthreads.shared_message(jsonb) is
  'A message without metadata, except for its status, and without metadata of providers.';
revoke all on function pgthreads.shared_message(jsonb) from public;
