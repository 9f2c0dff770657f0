-- A refusal for JSON of another form says what went wrong on the way, for each function that takes
-- JSON from a driver.
begin;
select plan(19);
\ir ../helpers.psql

select is(
  pgthreads.json_hint(v.value, v.form, 'So it goes.') like v.hint, true,
  format('%s: %s in place of an %s', v.place, v.value, v.form)
)
from (values
  (1, '"[]"'::jsonb, 'array', '%encoded twice%'),
  (2, '"{}"', 'object', '%encoded twice%'),
  (3, '{}', 'array', '%PostgreSQL array%JSON.stringify. So it goes.'),
  (4, '{"id": "m"}', 'array', '%put it into an array%So it goes.'),
  (5, '[{"id": "m"}]', 'object', '%one element%So it goes.'),
  (6, '[]', 'object', 'So it goes.'),
  (7, '[1, 2]', 'object', 'So it goes.'),
  (8, '7', 'array', 'So it goes.'),
  (9, 'null', 'object', 'So it goes.'),
  (10, null, 'array', 'So it goes.'),
  (11, '{}', 'object', 'So it goes.')
) as v (place, value, form, hint)
order by v.place;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(v.call, 'THMSG', v.detail, v.hint, v.what)
from (values
  (1, 'append_thread gets a string',
    $$ select pgthreads.append_thread('alice', 'k', to_jsonb(test.messages(1, 1)::text)) $$,
    'p_messages is string.', '%encoded twice%'),
  (2, 'append_thread gets what a driver makes of an empty list',
    $$ select pgthreads.append_thread('alice', 'k', '{}') $$,
    'p_messages is object.', '%PostgreSQL array%'),
  (3, 'append_thread gets one message',
    $$ select pgthreads.append_thread('alice', 'k', test.message('m')) $$,
    'p_messages is object.', '%put it into an array%'),
  (4, 'append_thread gets an array of strings',
    $$ select pgthreads.append_thread('alice', 'k',
      jsonb_build_array(test.message('m')::text)) $$,
    'messages[0]: %', '%encoded twice%'),
  (5, 'save_thread gets a string',
    $$ select pgthreads.save_thread('alice', 'k', to_jsonb(test.messages(1, 1)::text)) $$,
    'p_messages is string.', '%encoded twice%'),
  (6, 'begin_turn gets a string',
    $$ select pgthreads.begin_turn('alice', 'k', to_jsonb(test.message('m')::text), 't') $$,
    'A UIMessage is an object.', '%encoded twice%'),
  (7, 'begin_turn gets an array',
    $$ select pgthreads.begin_turn('alice', 'k', test.messages(1, 1), 't') $$,
    'A UIMessage is an object.', '%one element%'),
  (8, 'metadata is a string',
    $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1), p_metadata => '"{}"') $$,
    '%of type string.', '%encoded twice%')
) as v (place, what, call, detail, hint)
order by v.place;

select * from finish();
rollback;
