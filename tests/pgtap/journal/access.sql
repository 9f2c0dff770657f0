-- The journal is not redacted, so only the functions can read it, for its tenant.
begin;
select plan(11);
\ir ../operators.psql

select test.journaled('alice', 'k', 't', 'secret', false);
select is((select relpersistence::text from pg_class where oid = 'pgthreads.journal'::regclass),
  'u',
  'it is unlogged');
set local role tap_server;
select throws_ok('select from pgthreads.journal', '42501', null, 'the server role reads nothing');
select throws_ok('delete from pgthreads.journal', '42501', null, 'and deletes nothing');
select throws_ok(
  $$ insert into pgthreads.journal values ('alice', 'k', 't', 99, 100, 'x') $$, '42501', null,
  'and writes nothing'
);
set local role tap_operator;
select results_eq('select turn_id collate "default" from pgthreads.journal', array['t'],
  'operators see which turns it is about');
select throws_ok('select frames from pgthreads.journal', '42501', null, 'but not what is in it');
select throws_ok('update pgthreads.journal set turn_id = turn_id', '42501', null, 'nor change it');
set local role pgthreads_owner;
select pgthreads.set_tenant('bob') \gset
select is_empty('select from pgthreads.journal', 'the owner role sees its tenant''s alone');
select throws_ok(
  $$ insert into pgthreads.journal values ('alice', 'k', 't', 99, 100, 'x') $$, '42501', null,
  'and writes its tenant''s alone'
);
set local role tap_operator;
select lives_ok($$ select pgthreads.erase_owner('alice') $$, 'erasing an owner');
select is(test.journal(), array[]::text[], 'deletes it');

select * from finish();
rollback;
