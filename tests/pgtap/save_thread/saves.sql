-- A whole array is stored once; new messages are appended, and MESSAGES_GROW_ONLY holds.
begin;
select plan(34);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', test.messages(1, 1)) $$, 'THTEN', null, null,
    'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 'k', test.messages(1, 2), 0) $$,
  $$ values ('k', 2, 2) $$, 'a new thread'
);
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 'k', test.messages(1, 4), 2) $$,
  $$ values ('k', 4, 2) $$, 'a longer array'
);
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 'k', test.messages(1, 4)) $$,
  $$ values ('k', 4, 0) $$, 'the same array'
);
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 'k', test.messages(1, 4), 2) $$,
  $$ values ('k', 4, 0) $$, 'the same call once more, whose answer got lost'
);
select matches(
  (select state_key from pgthreads.save_thread('alice', null, test.messages(1, 1))),
  '^[A-Za-z0-9_-]{21}$', 'a null key makes a new thread'
);
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 'e', '[]') $$,
  $$ values ('e', 0, 0) $$, 'an empty array makes an empty thread'
);

select test.refuses(
  format('select pgthreads.save_thread(%L, %L, %s)', 'alice', 'k', v.messages),
  v.state, v.detail, v.hint, v.what
)
from (values
  (1, 'a shorter array', 'test.messages(1, 3)', 'THSHR',
    'Thread k has 4 messages, the array has 3.',
    '%load the thread%changed a message in decoding%append_thread%'),
  (2, 'an empty one', '''[]''', 'THSHR', 'Thread k has 4 messages, the array has 0.', null),
  (3, 'a changed text', $s$ jsonb_set(test.messages(1, 4), '{1,parts,0,text}', '"x"') $s$, 'THSHR',
    'Message 2 of thread k differs.', null),
  (4, 'a changed id', $s$ jsonb_set(test.messages(1, 4), '{0,id}', '"x"') $s$, 'THSHR',
    'Message 1 of thread k differs.', null),
  (5, 'a changed role', $s$ jsonb_set(test.messages(1, 4), '{3,role}', '"assistant"') $s$, 'THSHR',
    'Message 4 of thread k differs.', null),
  (6, 'one more key', $s$ jsonb_set(test.messages(1, 4), '{3,metadata}', '{}') $s$, 'THSHR',
    'Message 4 of thread k differs.', null),
  (7, 'null in place of a message', $s$ jsonb_set(test.messages(1, 4), '{2}', 'null') $s$, 'THSHR',
    'Message 3 of thread k differs.', null),
  (8, 'the first left out', 'test.messages(2, 5)', 'THSHR', 'Message 1 of thread k differs.', null),
  (9, 'another order', 'test.messages(2, 2) || test.messages(1, 1) || test.messages(3, 5)', 'THSHR',
    'Message 1 of thread k differs.', null),
  (10, 'one put in', 'test.messages(1, 1) || test.messages(9, 9) || test.messages(2, 4)', 'THSHR',
    'Message 2 of thread k differs.', null),
  (11, 'a stored one once more', 'test.messages(1, 4) || test.messages(1, 1)', 'THDUP',
    '%has 5 messages, of which 4 are distinct.', '%id of its own%'),
  (12, 'a stored id with other content', $s$ test.messages(1, 4)
    || jsonb_build_array(test.message('m1', 'other')) $s$, 'THDUP', '%different message ''m1''%',
      null),
  (13, 'a new one twice', 'test.messages(1, 5) || test.messages(5, 5)', 'THDUP',
    '%has 6 messages, of which 5 are distinct.', null),
  (14, 'a new one that is no UIMessage', $s$ test.messages(1, 4) || '[{}]' $s$, 'THMSG',
    'messages[0]: id %', null),
  (15, 'an object', '''{}''', 'THMSG', 'p_messages is object.', '%whole thread%'),
  (16, 'null', 'null', 'THMSG', 'p_messages is null.', null),
  (17, 'a wrong count', 'test.messages(1, 5), 3', 'THCNT',
    'Thread k has 4 messages, but the caller expected 3.',
    '%Load the thread%'),
  (18, 'a wrong count and a changed text',
    $s$ jsonb_set(test.messages(1, 4), '{1,parts,0,text}', '"x"'), 3 $s$, 'THCNT', null, null)
) as v (place, what, messages, state, detail, hint)
order by v.place;
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'none', test.messages(1, 2), 1) $$,
  'THCNT', 'Thread none has 0 messages, but the caller expected 1.', null,
    'a count of a thread that is not there'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'a b', '[]') $$, 'THKEY', null, null, 'a bad key'
);
select test.refuses(
  $$ select pgthreads.save_thread('bob', 'k', '[]') $$, 'THTEN', null, null, 'another tenant'
);

-- A caller still has what it has sent, including secrets.
select pgthreads.save_thread('alice', 's', jsonb_build_array(test.message('s', 'sk-' || repeat('a',
  40))))
  \g /dev/null
select results_eq(
  $$ select * from pgthreads.save_thread('alice', 's',
    jsonb_build_array(test.message('s', 'sk-' || repeat('a', 40))) || test.messages(1, 1)) $$,
  $$ values ('s', 2, 1) $$, 'what was redacted counts as equal'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 's', jsonb_build_array(test.message('s', 'other'))
    || test.messages(1, 1)) $$,
  'THSHR', 'Message 1 of thread s differs.', null, 'another text does not'
);

-- Metadata, turns, deletion.
select pgthreads.save_thread('alice', 'k', test.messages(1, 4), 4, '{"a": 1}') \g /dev/null
select is(
  (select metadata from pgthreads.read_thread('alice', 'k')), '{"a": 1}',
    'metadata alone can be saved'
);
select pgthreads.begin_turn('alice', 'k', test.message('u'), 't') \g /dev/null
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k',
    test.messages(1, 4) || jsonb_build_array(test.message('u')) || test.messages(6, 6)) $$,
  'THTRN', null, null, 'not while a turn runs'
);
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', test.messages(1, 9)) $$, 'THDEL', null, null,
  'not into a deleted thread'
);
select test.refuses(
  $$ select pgthreads.save_thread('alice', 'k', '[]') $$, 'THDEL', null, null, 'not even nothing'
);

select * from finish();
rollback;
