-- The title of a thread that nobody has named yet.
begin;
select plan(12);
\ir ../helpers.psql

create function test.title(p_parts jsonb, p_role text default 'user')
returns text
language sql
immutable
return pgthreads.message_title(array[
  '{"role": "assistant", "parts": [{"type": "text", "text": "not this"}]}',
  jsonb_build_object('role', p_role, 'parts', p_parts)::text]);

select is(test.title(v.parts::jsonb), v.wanted, v.parts)
from (values
  ('[{"type": "text", "text": " s\t\n two  words "}]', 's two words'),
  ('[{"type": "file", "filename": "plan.pdf", "mediaType": "application/pdf"}]', 'plan.pdf'),
  ('[{"type": "file", "filename": "plan.pdf", "mediaType": "application/pdf"},
    {"type": "text", "text": "what is it?"}]', 'what is it?'),
  ('[{"type": "text", "text": " "}, {"type": "file", "filename": " ", "mediaType": "image/png"}]',
    'Image'),
  ('[{"type": "file", "mediaType": "audio/mpeg"}]', 'Audio'),
  ('[{"type": "file", "mediaType": "video/mp4"}]', 'Video'),
  ('[{"type": "file", "mediaType": "text/csv"}]', 'Text file'),
  ('[{"type": "file", "mediaType": "application/zip"}]', 'File'),
  ('[{"type": "hologram", "text": "no"}]', null)
) as v (parts, wanted);
select is(length(test.title(test.message('m', repeat('x', 500)) -> 'parts')), 80, '80 characters');
select is(test.title('[{"type": "text", "text": "a"}]', 'system'), null,
  'of a user''s message only');

select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'k', '{"id": "u", "role": "user", "parts": [
  {"type": "file", "mediaType": "image/png", "url": "data:,x", "filename": "a cat.png"}]}',
  't') \g /dev/null
select is(
  (select title from pgthreads.read_thread('alice', 'k')), 'a cat.png',
  'a thread that begins with a file has a title'
);

select * from finish();
rollback;
