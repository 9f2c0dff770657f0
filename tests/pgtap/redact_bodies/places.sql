-- Which strings of several messages stay as they are.
begin;
select plan(3);
\ir ../helpers.psql

create function test.secret() returns text language sql immutable
return 'sk-' || repeat('aB3x', 10);
create function test.messages(p_url text, p_found text) returns text[] language sql immutable
return array[
  jsonb_build_object('id', test.secret(), 'role', 'user', 'parts', jsonb_build_array(
    jsonb_build_object('type', 'text', 'text', p_found, 'id', test.secret()),
    jsonb_build_object('type', 'file', 'mediaType', 'a/b', 'url', p_url)),
    'metadata', jsonb_build_array(jsonb_build_object('id', p_found, 'type', p_found)))::text,
  jsonb_build_object('id', 'm2', 'role', 'assistant', 'parts', jsonb_build_array(
    jsonb_build_object('type', 'tool-x', 'toolCallId', test.secret(),
      'approval', jsonb_build_object('id', test.secret(), 'reason', p_found),
      'input', jsonb_build_object('id', p_found, 'url', 'data:a/b,' || p_found,
        'approval', jsonb_build_object('id', p_found)),
      'output', jsonb_build_array('id', ': ', p_found, '\": [{"', '": ', p_found))),
    'metadata', jsonb_build_object('id', p_found, 'parts', jsonb_build_array(
      jsonb_build_object('type', p_found, 'url', 'data:' || p_found))))::text];

select is(
  pgthreads.redact_bodies(test.messages('data:' || test.secret(), test.secret())),
  test.messages('data:' || test.secret(), '[REDACTED:provider_api_key]'),
  'with a data URL'
);
select is(
  pgthreads.redact_bodies(test.messages('https://a.example/', test.secret())),
  test.messages('https://a.example/', '[REDACTED:provider_api_key]'),
  'without a data URL'
);
select is(
  pgthreads.redact_bodies(test.messages('https://a.example/', 'nothing')),
  test.messages('https://a.example/', 'nothing'), 'nothing but what stays'
);

select * from finish();
rollback;
