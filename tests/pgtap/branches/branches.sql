-- Branches under grow-only: an edited message or another answer begins a branch. The newest branch
-- is read, the others stay readable, and nothing that is stored changes.
begin;
select plan(39);
\ir ../helpers.psql

create function test.ids(p_messages json)
returns text
language sql
return (
  select string_agg(e.value ->> 'id', ' ' order by e.place)
  from json_array_elements(p_messages) with ordinality as e (value, place)
);

set local role tap_server;
select pgthreads.set_tenant('alice') \gset

select count(*) from pgthreads.append_thread('alice', 'k', test.messages(1, 4)) \gset
select is(
  (select string_agg(coalesce(m.parent_seq::text, '-'), ' ' order by m.seq)
    from pgthreads.message as m),
  '- - - -', 'a thread without branches names no parents'
);

-- By append_thread.
select results_eq(
  $$ select message_count, appended
     from pgthreads.append_thread('alice', 'k', test.messages(5, 6), null, null, null, 'm2') $$,
  $$ values (6, 2) $$, 'a branch is appended'
);
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'm1 m2 m5 m6',
  'the newest branch is read');
select is(
  test.ids(pgthreads.load_thread('alice', 'k', null, null, 'm4')), 'm1 m2 m3 m4',
  'the other branch stays readable'
);
select is(
  test.ids(pgthreads.load_thread('alice', 'k', null, null, 'm3')), 'm1 m2 m3',
    'up to any message of it'
);
select is(
  (select string_agg(seq::text, ' ') from pgthreads.read_messages('alice', 'k')), '1 2 5 6',
  'as rows they keep their seq'
);
select is(test.ids(pgthreads.load_thread('alice', 'k', 3)), 'm2 m5 m6', 'a window spans the fork');
select is(test.ids(pgthreads.load_thread('alice', 'k', 2, 6)), 'm2 m5', 'a window before a seq');
select is(test.ids(pgthreads.load_thread('alice', 'k', 2, 5)), 'm1 m2', 'a window before the fork');
select is(
  (select earlier_seq from pgthreads.read_thread('alice', 'k', 2)), 5,
    'where the window before ends'
);
select is(
  (select earlier_seq from pgthreads.read_thread('alice', 'k', 4)), null, 'none before the first'
);
select is(
  (select test.ids(messages::json) from pgthreads.ai_threads where state_key = 'k'), 'm1 m2 m5 m6',
  'the view shows the newest branch'
);
select results_eq(
  $$ select leaf_id, leaf_seq, message_count from pgthreads.list_branches('alice', 'k') $$,
  $$ values ('m6', 6, 4), ('m4', 4, 4) $$, 'both branches are listed'
);
select results_eq(
  $$ select message_count, appended
     from pgthreads.append_thread('alice', 'k', test.messages(5, 6), null, null, null, 'm2') $$,
  $$ values (6, 0) $$, 'the same call again changes nothing'
);
select is(
  (select message_count from pgthreads.append_thread('alice', 'k', test.messages(7, 7), 6)), 7,
  'an append goes on at the newest branch'
);
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'm1 m2 m5 m6 m7', 'and is read behind it');
select is(
  (select message_count
   from pgthreads.append_thread('alice', 'k', test.messages(8, 8), null, null, null, 'm4')),
  8, 'an old branch can be continued'
);
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'm1 m2 m3 m4 m8',
  'which makes it the newest');
select results_eq(
  $$ select leaf_id, message_count from pgthreads.list_branches('alice', 'k') $$,
  $$ values ('m8', 5), ('m7', 5) $$, 'a branch that was continued is one branch'
);
select is(
  (select message_count
   from pgthreads.append_thread('alice', 'k', test.messages(9, 9), null, null, null, '')),
  9, 'another beginning'
);
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'm9', 'has nothing before it');
select is((select earlier_seq from pgthreads.read_thread('alice', 'k')), null, 'and says so');
select test.refuses(
  $$ select pgthreads.append_thread('alice', 'k', test.messages(10, 10), null, null, null,
    'nope') $$,
  'THNON', '%nope%', null, 'a parent that is not stored'
);
select test.refuses(
  $$ select pgthreads.load_thread('alice', 'k', null, null, 'nope') $$,
  'THNON', '%nope%', '%list_branches%', 'a leaf that is not stored'
);

-- By save_thread: load, push and save go on at the newest branch.
select results_eq(
  $$ select message_count, appended
     from pgthreads.save_thread('alice', 'k', test.messages(9, 10)) $$,
  $$ values (10, 1) $$, 'save continues the newest branch'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', test.messages(1, 4)) $$,
  'THSHR', null, null, 'save of another branch'
);

-- By begin_turn: an edited message.
select count(*) from pgthreads.append_thread('alice', 'e', jsonb_build_array(
  test.message('u1', 'one'), test.message('a1', 'first', 'assistant'),
  test.message('u2', 'two'), test.message('a2', 'second', 'assistant'))) \gset
select outcome, turn_id, test.ids(history) as ids
from pgthreads.begin_turn('alice', 'e', test.message('u2', 'TWO'), 't1', null, null, 'u2') \gset
select is(:'outcome'::text, 'started', 'an edited message starts a turn');
select matches(:'ids'::text, '^u1 a1 u2~[0-9a-f]{16}$', 'its prompt holds what came before it');
select is(
  (select outcome
   from pgthreads.begin_turn('alice', 'e', test.message('u2', 'TWO'), 't2', null, null, 'u2')),
  'running', 'the same edit sent again attaches'
);
select count(*) from pgthreads.append_thread(
  'alice', 'e', jsonb_build_array(test.message('a3', 'third', 'assistant')), null, 't1') \gset
select count(*) from pgthreads.finish_turn('alice', 'e', 't1', 'completed') \gset
select is(
  (select outcome
   from pgthreads.begin_turn('alice', 'e', test.message('u2', 'TWO'), 't3', null, null, 'u2')),
  'answered', 'and replays its answer'
);
select matches(
  test.ids(pgthreads.load_thread('alice', 'e')), '^u1 a1 u2~[0-9a-f]+ a3$',
    'the edit is what is read'
);

-- By begin_turn: another answer.
select is(
  (select test.ids(history)
   from pgthreads.begin_turn('alice', 'e', null, 't4', null, null, 'a1', true)),
  'u1', 'a new answer to an old message: its prompt ends with that'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'e', null, 't5', null, null, 'a2', true) $$,
  'THTRN', null, null, 'one turn at a time, also on another branch'
);
select count(*) from pgthreads.append_thread(
  'alice', 'e', jsonb_build_array(test.message('a4', 'anew', 'assistant')), null, 't4') \gset
select count(*) from pgthreads.finish_turn('alice', 'e', 't4', 'completed') \gset
select is(test.ids(pgthreads.load_thread('alice', 'e')), 'u1 a4', 'the new answer is what is read');
select is(
  (select test.ids(history) from pgthreads.begin_turn('alice', 'e', null, 't6', null, null, null,
    true)),
  'u1', 'without a name the newest answer is given anew'
);
select is(
  test.ids(pgthreads.load_thread('alice', 'e', null, null, 'a2')), 'u1 a1 u2 a2',
  'what was there first is all there'
);
select is(
  (select ok from pgthreads.verify_thread('alice', 'e')), true,
    'verify_thread goes over all branches'
);

-- A turn may append more than once; its second message continues its first.
select count(*) from pgthreads.begin_turn('alice', 's', test.message('u1'), 't1') \gset
select count(*) from pgthreads.append_thread(
  'alice', 's', jsonb_build_array(test.message('a1', 'a', 'assistant')), null, 't1') \gset
select count(*) from pgthreads.append_thread(
  'alice', 's', jsonb_build_array(test.message('a2', 'b', 'assistant')), null, 't1') \gset
select is(test.ids(pgthreads.load_thread('alice', 's')), 'u1 a1 a2', 'two messages of one turn');
reset role;
select is(
  (
    select count(*)::int
    from (
      select m.digest, sha256(coalesce(lag(m.digest) over (order by m.seq), '')
        || convert_to(m.message::text || coalesce(E'\n' || m.parent_seq, ''), 'UTF8')) as computed
      from pgthreads.message as m
      where m.state_key = 'e'
    ) as d
    where d.digest <> d.computed
  ),
  0, 'the digest chain goes over all branches, and over where they begin'
);

select * from finish();
rollback;
