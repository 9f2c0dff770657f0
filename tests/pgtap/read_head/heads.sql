-- Where a read begins: with and without a branch, a leaf that is asked for, and a running turn.
begin;
select plan(7);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 3)) \g /dev/null
select results_eq(
  $$
    select r.head_seq, r.is_linear, r.message_count
    from pgthreads.read_head('alice', 'k', null) as r
  $$,
  $$ values (3, true, 3) $$, 'all messages of a thread without branches'
);
select is(
  (select r.head_digest from pgthreads.read_head('alice', 'k', null) as r),
  (select t.head_digest from pgthreads.thread as t where t.owner_user_id = 'alice'),
  'with the digest of its last one'
);
select is(
  (select r.is_linear from pgthreads.read_head('alice', 'k', 'm3') as r), false,
  'a leaf is looked for'
);
select pgthreads.append_thread(
  'alice', 'k', jsonb_build_array(test.message('b', 'b')), null, null, null, 'm1') \g /dev/null
select results_eq(
  $$ select r.head_seq, r.is_linear from pgthreads.read_head('alice', 'k', null) as r $$,
  $$ values (4, false) $$, 'a thread with a branch is not linear'
);
select pgthreads.begin_turn('alice', 'k', null, 't', null, null, 'm2', true) \g /dev/null
select is(
  (select r.head_seq from pgthreads.read_head('alice', 'k', null) as r), 2,
  'the question, while a turn answers it again'
);
select is_empty(
  $$ select r.head_seq from pgthreads.read_head('alice', 'none', null) as r $$, 'no such thread'
);
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select is_empty(
  $$ select r.head_seq from pgthreads.read_head('alice', 'k', null) as r $$, 'a deleted one'
);

select * from finish();
rollback;
