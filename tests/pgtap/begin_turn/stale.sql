-- A message from a page that does not show where the newest branch ends: p_parent_id and
-- p_on_stale.
begin;
select plan(24);
\ir ../helpers.psql

create function test.ids(p_messages json)
returns text
language sql
return (
  select string_agg(e.value ->> 'id', ' ' order by e.place)
  from json_array_elements(p_messages) with ordinality as e (value, place)
);
-- Sends a message that continues p_parent, and answers it, unless the answer is null.
create function test.say(
  p_id text, p_parent text, p_on_stale text, p_answer text default null, p_text text default 'x')
returns text
language plpgsql
as $$
declare
  v_ids text;
begin
  select case when b.outcome = 'started' then test.ids(b.history) else b.outcome end into v_ids
  from pgthreads.begin_turn('alice', 'k', test.message(p_id, p_text), 't-' || p_id,
    p_parent_id => p_parent, p_on_stale => p_on_stale) as b;
  if v_ids not in ('answered', 'running') then
    perform f.status
    from pgthreads.append_thread('alice', 'k', case
        when p_answer is null then '[]'
        else jsonb_build_array(test.message(p_answer, 'answer', 'assistant'))
      end, null, 't-' || p_id) as a,
      pgthreads.finish_turn('alice', a.state_key, 't-' || p_id, 'completed') as f;
  end if;
  return v_ids;
end;
$$;
grant execute on all functions in schema test to public;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset

-- Nothing is stale yet.
select is(test.say('u1', '', 'branch', 'a1'), 'u1', 'the first message of a new thread');
select is(test.say('u2', 'a1', 'branch', 'a2'), 'u1 a1 u2', 'behind the last message');
select is(test.say('u3', 'a2', 'reject', 'a3'), 'u1 a1 u2 a2 u3', 'also where others are rejected');
select is(
  (select count(*) from pgthreads.message as m where m.parent_seq is not null), 0::bigint,
  'none of them begins a branch'
);

-- The page is stale.
select is(
  test.say('u4', 'a1', 'append', 'a4'), 'u1 a1 u2 a2 u3 a3 u4', 'append puts it at the end'
);
select is(test.say('u5', 'a2', 'branch', 'a5'), 'u1 a1 u2 a2 u5', 'branch behind its parent');
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'u1 a1 u2 a2 u5 a5', 'which is read then');
select test.refuses(
  $$ select test.say('u6', 'a4', 'reject') $$, 'THSTL', '%a4%', '%Load the thread again%',
  'reject refuses it'
);
select test.refuses(
  $$ select test.say('u6', '', 'reject') $$, 'THSTL', '%the beginning%', null,
  'also one that begins the thread'
);
select is(
  (select message_count from pgthreads.read_thread('alice', 'k')), 10, 'and nothing is stored'
);
select is(test.say('u5', 'a2', 'reject'), 'answered',
  'a message that is stored already is not stale');
select is(test.say('u5', 'a1', 'branch'), 'answered', 'and stays where it is');

-- The page does not say what it shows, or names an unknown message.
select is(
  test.say('u6', null, 'reject', 'a6'), 'u1 a1 u2 a2 u5 a5 u6', 'no parent is the end'
);
select is(
  test.say('u7', 'lost', 'reject', 'a7'), 'u1 a1 u2 a2 u5 a5 u6 a6 u7',
    'so is one that is not stored'
);
select is(
  test.say('u8', 'a1', null, 'a8'), 'u1 a1 u2 a2 u5 a5 u6 a6 u7 a7 u8',
    'and without a policy any is'
);

-- An edit by a client that sends a new id and the whole page.
select is(test.say('v1', '', 'branch', 'w1'), 'v1', 'the first message anew');
select is(test.say('v2', 'w1', 'branch', 'w2'), 'v1 w1 v2', 'and on from there');
select is(test.say('v3', 'w1', 'branch', 'w3'), 'v1 w1 v3', 'the second one anew');
select is(test.ids(pgthreads.load_thread('alice', 'k')), 'v1 w1 v3 w3',
  'the page and the thread agree');

-- A page that keeps the id of a message that it has edited, and whose answer failed.
select count(*) from pgthreads.begin_turn('alice', 'k', test.message('v3', 'edited'), 'e1',
    p_replaces => 'v3', p_on_stale => 'branch') as b,
  pgthreads.finish_turn('alice', b.state_key, 'e1', 'failed') \gset
select matches(
  test.say('v4', 'v3', 'branch', 'w4'), '^v1 w1 v3~[0-9a-f]{16} v4$',
    'it goes on from the edited one'
);
select is(
  test.say('v5', 'w3', 'branch', 'w5'), 'v1 w1 v3 w3 v5',
    'a page that shows the first one from that'
);

-- A question that never arrived, asked again by a page that shows an older branch.
select is(
  (select test.ids(b.history) from pgthreads.begin_turn('alice', 'k', test.message('v6', 'six'),
    'r1',
    p_regenerate => true, p_parent_id => 'w2', p_on_stale => 'branch') as b),
  'v1 w1 v2 w2 v6', 'an answer anew to a question that is not stored begins where the page is'
);
select test.refuses(
  $$ select pgthreads.begin_turn('alice', 'k', test.message('v7'), 'r2',
    p_parent_id => 'w2', p_on_stale => 'branch') $$, 'THTRN', null, null,
  'one turn at a time, also on another branch'
);
select pgthreads.finish_turn('alice', 'k', 'r1', 'failed') \g /dev/null
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select test.say('v8', 'w2', 'branch') $$, 'THDEL', null, null, 'a deleted thread'
);

select * from finish();
rollback;
