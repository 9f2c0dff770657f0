-- Only a thread of the tenant that is not deleted is accepted.
begin;
select plan(5);
\ir ../helpers.psql

select test.refuses(
  $$ select pgthreads.require_thread('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.require_thread('alice', 'k') $$, 'THNON', 'The tenant has no thread k.',
  null, 'no thread'
);
select test.refuses(
  $$ select pgthreads.require_thread('alice', 'a b') $$, 'THKEY', null, null, 'no key'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) \g /dev/null
select lives_ok($$ select pgthreads.require_thread('alice', 'k') $$, 'a thread');
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.require_thread('alice', 'k') $$, 'THDEL', null, null, 'a deleted one'
);

select * from finish();
rollback;
