-- A schema that was loaded without its data refuses what it cannot do safely.
begin;
select plan(9);
\ir ../helpers.psql

alter table pgthreads.redaction_screen disable trigger all;
alter table pgthreads.redaction_rule disable trigger all;
delete from pgthreads.config;
delete from pgthreads.redaction_rule;
delete from pgthreads.redaction_screen;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(v.call, '55000', '%config has no row%', '%pgthreads migrate%', v.call)
from (values
  (1, $$ select pgthreads.append_thread('alice', 'k', test.messages(1, 1)) $$),
  (2, $$ select pgthreads.append_thread('alice', 'k', '[]') $$),
  (3, $$ select pgthreads.save_thread('alice', 'k', test.messages(1, 1)) $$),
  (4, $$ select pgthreads.begin_turn('alice', 'k', test.message('m'), 't') $$),
  (5, $$ select pgthreads.redact_text('card 4111 1111 1111 1111') $$),
  (6, $$ select pgthreads.redact_json('{"card": "4111 1111 1111 1111"}') $$),
  (7, $$ select pgthreads.redact_message(test.message('m', 'card 4111 1111 1111 1111')) $$),
  (8, $$ select pgthreads.update_thread('alice', 'k', 'card 4111 1111 1111 1111') $$)
) as v (place, call)
order by v.place;
select lives_ok(
  $$ select * from pgthreads.list_threads('alice') $$, 'reads find nothing, and say so'
);

select * from finish();
rollback;
