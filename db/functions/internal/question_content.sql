-- What a client can say in a user message: the text, files and metadata of a message in any form.
-- Two messages ask the same if this is equal.

create or replace function pgthreads.question_content(p_message jsonb)
returns jsonb
language sql
immutable
set search_path = pg_catalog, pg_temp
as $$
  select jsonb_build_object('role', 'user', 'parts', coalesce(
      (
        select jsonb_agg(
          case e.part ->> 'type'
            when 'text' then
              jsonb_build_object('type', 'text', 'text', e.part -> 'text')
            else
              jsonb_build_object(
                'type', 'file', 'mediaType', e.part -> 'mediaType', 'url', e.part -> 'url')
              || case
                when e.part ? 'filename' then
                  jsonb_build_object('filename', e.part -> 'filename')
                else '{}'
              end
          end
          order by e.place)
        from jsonb_array_elements(case
          when jsonb_typeof(p_message -> 'parts') = 'array' then p_message -> 'parts'
          else '[]'
        end) with ordinality as e (part, place)
        where e.part ->> 'type' in ('text', 'file')
      ), '[]'))
    || case
      when c.message ? 'metadata' then jsonb_build_object('metadata', c.message -> 'metadata')
      else '{}'
    end
  from (select pgthreads.without_details(p_message) as message) as c;
$$;

comment on function pgthreads.question_content(jsonb) is
  'The text, files and metadata of a message: what a client can say in one.';
revoke all on function pgthreads.question_content(jsonb) from public;
