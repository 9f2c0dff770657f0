-- The words of a message as search keeps them. System messages are left out, because they are no
-- part of the conversation.

create or replace function pgthreads.message_words(p_language regconfig, p_message json)
returns tsvector
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return case p_message ->> 'role'
    when 'user' then setweight(to_tsvector(p_language, pgthreads.message_text(p_message)), 'B')
    when 'assistant' then setweight(to_tsvector(p_language, pgthreads.message_text(p_message)), 'C')
  end;
end;
$$;

comment on function pgthreads.message_words(regconfig, json) is
  'The words of a message, weighed by its role; null if there are none to keep.';
revoke all on function pgthreads.message_words(regconfig, json) from public;
