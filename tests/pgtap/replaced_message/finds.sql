-- For an answer it finds the question, and for a user message the place of its sibling.
begin;
select plan(3);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', jsonb_build_array(
  test.message('u'), test.message('a', 'x', 'assistant'))) \g /dev/null
select results_eq(
  $$ select user_seq, user_id from pgthreads.replaced_message('alice', 'k', 'a', true) $$,
  $$ values (1, 'u') $$, 'the question of an answer'
);
select results_eq(
  $$ select sibling_of, parent_id from pgthreads.replaced_message('alice', 'k', 'u', false) $$,
  $$ values ('u', '') $$, 'a sibling of the first message'
);
select is_empty(
  $$ select * from pgthreads.replaced_message('alice', 'k', 'x', true) $$, 'an unknown message'
);

select * from finish();
rollback;
