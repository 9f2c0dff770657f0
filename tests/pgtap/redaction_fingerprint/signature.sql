begin;
select plan(9);
\ir ../operators.psql

select test.declared(
  'redaction_fingerprint', array[]::name[], 'bigint', true, 'stable', false
);
select function_privs_are(
  'pgthreads', 'redaction_fingerprint', array[]::name[], 'pgthreads_maintenance',
  array['EXECUTE']
);

create temp table seen as select pgthreads.redaction_fingerprint() as number;
select cmp_ok(number, '<', (2::numeric ^ 53)::bigint, 'a double holds it') from seen;
update pgthreads.redaction_rule set enabled = not enabled where name = 'email';
select isnt(pgthreads.redaction_fingerprint(), number, 'another one after a change') from seen;
update pgthreads.redaction_rule set enabled = not enabled where name = 'email';
select is(pgthreads.redaction_fingerprint(), number, 'and the same when it is undone') from seen;

select * from finish();
rollback;
