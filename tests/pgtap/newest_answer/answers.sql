-- The message behind the question, and the messages that branch off from it.
begin;
select plan(7);
\ir ../helpers.psql

create function test.appends(p_message jsonb, p_parent_id text default null)
returns int
language sql
as $$
  select a.message_count
  from pgthreads.append_thread(
    'alice', 'k', jsonb_build_array(p_message), null, null, null, p_parent_id) as a
$$;

select pgthreads.set_tenant('alice') \gset
select test.appends(test.message('q1')) \g /dev/null
select is(pgthreads.newest_answer('alice', 'k', 1), null, 'a question that nothing follows');
select test.appends(test.message('a1', 'a', 'assistant')) \g /dev/null
select test.appends(test.message('q2')) \g /dev/null
select is(pgthreads.newest_answer('alice', 'k', 1), 2, 'the message behind it');
select test.appends(test.message('q3')) \g /dev/null
select is(pgthreads.newest_answer('alice', 'k', 3), null, 'no user message');
select test.appends(test.message('b1', 'b', 'assistant'), 'q1') \g /dev/null
select is(pgthreads.newest_answer('alice', 'k', 1), 5, 'a message that branches off');
select is(pgthreads.newest_answer('alice', 'k', 4), null, 'not one behind it that branches off');
select test.appends(test.message('q4'), 'q1') \g /dev/null
select is(pgthreads.newest_answer('alice', 'k', 1), 5, 'not another question that does');
select is(pgthreads.newest_answer('alice', 'none', 1), null, 'no such thread');

select * from finish();
rollback;
