-- redaction_screen follows the rules and nothing else; a rule that cannot be used is refused.
begin;
select plan(24);
\ir ../helpers.psql

create function test.screen() returns text language sql
return (select screen from pgthreads.redaction_screen);
create function test.wanted() returns text language sql
return (select string_agg(distinct r.screen, '|') from pgthreads.redaction_rule as r
  where r.enabled);

select is(test.screen(), test.wanted(), 'the screens of all enabled rules');
set local role pgthreads_owner;
update pgthreads.redaction_rule set enabled = true where name = 'email';
select is(test.screen(), test.wanted(), 'a rule that is switched on comes in');
select is(pgthreads.redact_text('a@b.example'), '[REDACTED:email]', 'and works');
update pgthreads.redaction_rule set enabled = false where name = 'email';
select is(test.screen(), test.wanted(), 'a rule that is switched off goes');
insert into pgthreads.redaction_rule
  (name, category, pattern, replacement, screen, ordering, example)
values ('word', 'A word', 'xyzzy', '[word]', 'xyzzy', 5, 'say xyzzy');
select is(test.screen(), test.wanted(), 'a new rule comes in');
select is(
  pgthreads.redact_message(test.message('i', 'say xyzzy')), test.message('i', 'say [word]'),
  'and messages follow it'
);

-- A rule that does not work on its example.
select throws_ok(
  $$ update pgthreads.redaction_rule set pattern = '(' where name = 'word' $$, '2201B', null,
  'a pattern that does not compile is refused'
);
select throws_ok(
  $$ update pgthreads.redaction_rule set screen = '(' where name = 'word' $$, '2201B', null,
  'and so is a screen'
);
select test.refuses(
  format('update pgthreads.redaction_rule set %s where name = %L', v.change, 'word'),
  '23514', v.detail, '%example%', v.what
)
from (values
  ($$ screen = 'xyzzx' $$, 'Its screen %', 'a screen that misses the example'),
  ($$ first_look = 'xyzzx' $$, 'Its first look %', 'and a first look'),
  ($$ pattern = 'xyzzx' $$, 'Its pattern %', 'and a pattern'),
  ($$ min_length = 6 $$, 'Its pattern %', 'and a length'),
  ($$ verifier = 'luhn' $$, '% verifier%', 'and a verifier'),
  ($$ example = 'say nothing' $$, 'Its pattern %', 'and an example without anything'),
  ($$ example = null $$, 'It has no example%', 'an enabled rule without an example')
) as v (change, detail, what);
select lives_ok(
  $$ update pgthreads.redaction_rule set ordering = 6, category = 'Words' where name = 'word' $$,
  'what does not matter changes freely'
);
delete from pgthreads.redaction_rule where name = 'word';
select is(test.screen(), test.wanted(), 'a rule that is deleted goes');

-- Nobody can write the screens.
select test.refuses(v.change, '42501', null, '%redaction_rule%', v.change)
from (values
  ($$ update pgthreads.redaction_screen set screen = 'x' $$),
  ($$ delete from pgthreads.redaction_screen $$),
  ($$ truncate pgthreads.redaction_screen $$)
) as v (change);
reset role;
select test.refuses(
  $$ update pgthreads.redaction_screen set screen = 'x' $$, '42501', null, null,
    'not a superuser either'
);
set local role pgthreads_owner;

update pgthreads.redaction_rule set enabled = false;
select is(
  pgthreads.redact_message(test.message('i', 'sk-' || repeat('a', 40))),
  test.message('i', 'sk-' || repeat('a', 40)), 'without rules nothing is redacted'
);
reset role;
select pgthreads.set_tenant('alice') \gset
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) $$,
    'appends go on without rules'
);

-- A missing row does not switch redaction off.
update pgthreads.redaction_rule set enabled = true where name = 'provider_api_key';
alter table pgthreads.redaction_screen disable trigger all;
delete from pgthreads.redaction_screen;
select pgthreads.append_thread(
  'alice', 'k', jsonb_build_array(test.message('s', 'sk-' || repeat('a', 40)))) \gset
select is(
  pgthreads.load_thread('alice', 'k') #>> '{-1,parts,0,text}', '[REDACTED:provider_api_key]',
  'without its row everything is looked at'
);

select * from finish();
rollback;
