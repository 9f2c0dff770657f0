-- It returns the leaf that is asked for, or the thread's last message.
begin;
select plan(4);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 3)) \g /dev/null
select is(pgthreads.branch_head('alice', 'k', null), 3, 'the last message');
select is(pgthreads.branch_head('alice', 'k', 'm2'), 2, 'the leaf');
select is(pgthreads.branch_head('alice', 'none', 'm2'), null, 'null without a thread');
select test.refuses(
  $$ select pgthreads.branch_head('alice', 'k', 'x') $$, 'THNON', '%''x''%', null, 'no such leaf'
);

select * from finish();
rollback;
