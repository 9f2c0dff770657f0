-- It shows every way in which redaction can be off, even what a superuser does.
begin;
select plan(9);
\ir ../helpers.psql

create function test.faults() returns setof text language sql as
$$ select concat_ws(': ', f.rule, f.fault) from pgthreads.redaction_faults() as f $$;

select is_empty('select test.faults()', 'a new installation has none');
alter table pgthreads.redaction_rule disable trigger redaction_rule_example;
update pgthreads.redaction_rule set screen = 'nowhere' where name = 'jwt';
select set_eq(
  'select test.faults()',
  array['jwt: Its screen does not match its example.',
    'Trigger redaction_rule_example of redaction_rule is disabled.'],
  'a wrong screen, and the trigger that was switched off for it'
);
update pgthreads.redaction_rule set screen = 'eyJ', example = null where name = 'jwt';
select set_has(
  'select test.faults()',
  $$ values ('jwt: It has no example, so nothing shows that it works.') $$, 'no example'
);
update pgthreads.redaction_rule
set pattern = '<', example = 'a < b' where name = 'jwt';
select set_has(
  'select test.faults()', $$ values ('jwt: Its pattern finds nothing in its example.') $$,
  'a match that is shorter than it has to be'
);
alter table pgthreads.redaction_rule disable trigger redaction_rule_screen;
update pgthreads.redaction_rule set pattern = '(' where name = 'jwt';
select ok(
  (select bool_or(f like 'jwt: It cannot be used: %') from test.faults() as f),
  'an expression that does not compile'
);
delete from pgthreads.redaction_rule where name = 'jwt';
alter table pgthreads.redaction_screen disable trigger all;
update pgthreads.redaction_screen set screen = 'nowhere';
select ok(
  (select bool_or(f like 'redaction_screen does not follow from the enabled rules%')
    from test.faults() as f),
  'screens that are not those of the rules'
);
select ok(
  (select bool_or(f = 'us_ssn: Its example stays in a message.') from test.faults() as f),
  'and what follows from that'
);
delete from pgthreads.redaction_rule;
select ok(
  (select bool_or(f like 'No rule is enabled%') from test.faults() as f), 'no rule at all'
);
set local role tap_server;
select lives_ok('select * from pgthreads.redaction_faults()', 'the server''s role may ask');

select * from finish();
rollback;
