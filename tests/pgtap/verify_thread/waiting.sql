-- An open answer that was changed does not fit its digest.
begin;
select plan(7);
\ir ../waiting.psql

select test.waits() \g /dev/null
select is((select v::text from pgthreads.verify_thread('alice', 'k') as v), '(t,1,,)', 'it fits');
set local role tap_operator;
select is((select ok from pgthreads.verify_thread('alice', 'k')), true, 'for operators, too');
reset role;
update pgthreads.open_answer set message = replace(message::text, 'c1@', 'c9@')::json;
select results_eq(
  $$ select ok, bad_seq, detail from pgthreads.verify_thread('alice', 'k') $$,
  $$ values (false, 2, 'The open answer does not fit its digest, or the thread''s header.') $$,
  'a changed input'
);
set local role tap_operator;
select is((select ok from pgthreads.verify_threads()), false, 'operators see it');
reset role;
update pgthreads.open_answer set message = replace(message::text, 'c9@', 'c1@')::json;
select is((select ok from pgthreads.verify_thread('alice', 'k')), true, 'as it was');
update pgthreads.thread set open_since = null;
select is((select ok from pgthreads.verify_thread('alice', 'k')), false,
  'an answer that the header does not know');
update pgthreads.thread set open_since = now();
delete from pgthreads.open_answer;
select is((select ok from pgthreads.verify_thread('alice', 'k')), false,
  'a header that knows of an answer that is gone');

select * from finish();
rollback;
