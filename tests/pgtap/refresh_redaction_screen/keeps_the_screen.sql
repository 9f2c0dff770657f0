-- config.redaction_screen follows the rules; a rule that cannot be used is refused.
begin;
select plan(12);
\ir ../helpers.psql

create function test.screen() returns text language sql
return (select redaction_screen from pgthreads.config);
create function test.wanted() returns text language sql
return (select string_agg(r.screen, '|' order by r.ordering, r.name)
  from pgthreads.redaction_rule as r where r.enabled);

select is(test.screen(), test.wanted(), 'the screens of all enabled rules');
set local role pgthreads_owner;
update pgthreads.redaction_rule set enabled = true where name = 'email';
select is(test.screen(), test.wanted(), 'a rule that is switched on comes in');
select is(pgthreads.redact_text('a@b.example'), '[REDACTED:email]', 'and works');
update pgthreads.redaction_rule set enabled = false where name = 'email';
select is(test.screen(), test.wanted(), 'a rule that is switched off goes');
insert into pgthreads.redaction_rule (name, category, pattern, replacement, screen, ordering)
values ('word', 'A word', 'xyzzy', '[word]', 'xyzzy', 5);
select is(test.screen(), test.wanted(), 'a new rule comes in');
select is(
  pgthreads.redact_message(test.message('i', 'say xyzzy')), test.message('i', 'say [word]'),
  'and messages follow it'
);
select throws_ok(
  $$ update pgthreads.redaction_rule set pattern = '(' where name = 'word' $$, '2201B', null,
  'a pattern that does not compile is refused'
);
select throws_ok(
  $$ update pgthreads.redaction_rule set screen = '(' where name = 'word' $$, '2201B', null,
  'and so is a screen'
);
delete from pgthreads.redaction_rule where name = 'word';
select is(test.screen(), test.wanted(), 'a rule that is deleted goes');
update pgthreads.redaction_rule set enabled = false;
select is(test.screen(), null, 'no rule, no screen');
select is(
  pgthreads.redact_message(test.message('i', 'sk-' || repeat('a', 40))),
  test.message('i', 'sk-' || repeat('a', 40)), 'and nothing is redacted'
);
reset role;
select pgthreads.set_tenant('alice') \gset
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) $$, 'appends go on without rules'
);

select * from finish();
rollback;
