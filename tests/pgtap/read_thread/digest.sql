-- A caller that has the messages gets only the header.
begin;
select plan(5);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 2),
  p_metadata => '{"a": 1}') \g /dev/null
select digest from pgthreads.read_thread('alice', 'k') \gset
select results_eq(
  $$ select state_key, title, message_count, metadata, json_array_length(messages)
    from pgthreads.read_thread('alice', 'k') $$,
  $$ values ('k', 'text 1', 2, jsonb '{"a": 1}', 2) $$, 'the header and the messages'
);
select matches(:'digest'::text, '^[0-9a-f]{64}$', 'the digest is 64 hexadecimal digits');
select is(
  (select messages::text from pgthreads.read_thread('alice', 'k', null, null, :'digest')), null,
  'a known digest leaves the messages out'
);
select pgthreads.append_thread('alice', 'k', test.messages(3, 3)) \g /dev/null
select is(
  (select json_array_length(messages) from pgthreads.read_thread('alice', 'k', 1, null, :'digest')),
    1,
  'an old one does not'
);
select pgthreads.append_thread('alice', 'e', '[]') \g /dev/null
select is(
  (select digest from pgthreads.read_thread('alice', 'e')),
  '', 'an empty thread has an empty digest'
);

select * from finish();
rollback;
