begin;
select plan(18);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.update_thread('alice', 'k', 'a') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.update_thread('alice', 'k', 'a') $$,
  'THNON', 'The tenant has no thread k.', '%list_threads%', 'no such thread'
);
select test.refuses(
  $$ select pgthreads.update_thread('alice', '', 'a') $$, 'THKEY', null, null, 'a bad key'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 1), p_metadata => '{"a": 1, "b": 2}')
  \g /dev/null
select updated_at as before from pgthreads.read_thread('alice', 'k') \gset
select results_eq(
  $$ select state_key, title, message_count, metadata
    from pgthreads.update_thread('alice', 'k', ' New title ') $$,
  $$ values ('k', 'New title', 1, jsonb '{"a": 1, "b": 2}') $$, 'a new title, without spaces around'
);
select results_eq(
  $$ select title, metadata from pgthreads.update_thread('alice', 'k', null,
    '{"b": 3, "c": [1]}') $$,
  $$ values ('New title', jsonb '{"a": 1, "b": 3, "c": [1]}') $$,
    'metadata is merged, the title stays'
);
select is(
  (select updated_at from pgthreads.read_thread('alice', 'k')), :'before',
  'neither moves the thread in the list'
);
select is(
  (select title from pgthreads.update_thread('alice', 'k', 'key sk-' || repeat('a', 40))),
  'key [REDACTED:provider_api_key]', 'a title is redacted'
);
select is(
  (select metadata ->> 'a' from pgthreads.update_thread(
    'alice', 'k', null, jsonb_build_object('a', 'sk-' || repeat('a', 40)))),
  '[REDACTED:provider_api_key]', 'and so is metadata'
);
select results_eq(
  $$ select title from pgthreads.update_thread('alice', 'k', repeat('é', 200)) $$,
  array[repeat('é', 200)], 'a title of 200 characters'
);
select test.refuses(
  $$ select pgthreads.update_thread('alice', 'k', repeat('a', 201)) $$,
  '22001', 'It has 201 characters.', '%200%', 'one of 201'
);
select test.refuses(
  format('select pgthreads.update_thread(%L, %L, null, %L)', 'alice', 'k', v.metadata),
  v.state, null, null, v.what
)
from (values
  (1, 'an array as metadata', '[]', 'THMSG'), (2, 'a string', '"a"', 'THMSG'),
  (3, 'JSON null', 'null', 'THMSG'),
  (4, 'more than 64 KiB', jsonb_build_object('z', repeat('a', 65536))::text, 'THMAX')
) as v (place, what, metadata, state)
order by v.place;
select is(
  (select title from pgthreads.update_thread('alice', 'k', '  ')), null,
    'an empty title takes it away'
);
select pgthreads.set_tenant('bob') \gset
select test.refuses(
  $$ select pgthreads.update_thread('bob', 'k', 'a') $$, 'THNON', null, null,
  'a foreign thread is not there'
);
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.update_thread('alice', 'k', 'a') $$,
  'THDEL', 'Thread k was deleted at %', '%new thread%', 'a deleted thread'
);
select test.refuses(
  $$ select pgthreads.update_thread('bob', 'k', 'a') $$, 'THTEN', null, null,
    'who is not the tenant'
);

select * from finish();
rollback;
