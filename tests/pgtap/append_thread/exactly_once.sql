-- EXACTLY_ONCE: a stored message is not stored again, whatever count and turn the call names.
begin;
select plan(17);
\ir ../helpers.psql

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select test.everything() as before \gset

select results_eq(
  format('select * from pgthreads.append_thread(%L, %L, %s)', 'alice', 'k', v.call),
  format('values (%L, 2, 0)', 'k'), v.what || ' appends nothing'
)
from (values
  (1, 'the same call', 'test.messages(1, 2)'),
  (2, 'the last message alone', 'test.messages(2, 2)'),
  (3, 'the first message alone', 'test.messages(1, 1)'),
  (4, 'in another order', 'test.messages(2, 2) || test.messages(1, 1)'),
  (5, 'twice in one call', 'test.messages(1, 1) || test.messages(1, 1)'),
  (6, 'with the count of before', 'test.messages(1, 2), 0'),
  (7, 'with any count', 'test.messages(1, 2), 17'),
  (8, 'with a turn that is over', 'test.messages(1, 2), null, ''gone'''),
  (9, 'with metadata', 'test.messages(1, 2), p_metadata => ''{"a": 1}''')
) as v (place, what, call)
order by v.place;
select is(test.everything(), :'before', 'and nothing has changed');

select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(2, 3)) $$,
  $$ values ('k', 3, 1) $$, 'of a known and a new one the new one is appended'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'k', test.messages(4, 4) || test.messages(4, 4),
    3) $$,
  $$ values ('k', 4, 1) $$, 'a new one that stands twice is appended once'
);

-- Messages are equal if they are equal as jsonb, after redaction.
select pgthreads.append_thread('alice', 'r', jsonb_build_array(
  test.message('s', 'my key sk-' || repeat('a', 40))
    || '{"metadata": {"n": 1.0, "m": 100}}')) \g /dev/null
select is(a.appended, 0, v.what)
from (values
  (1, 'the same secret again', test.message('s', 'my key sk-' || repeat('a', 40))
    || '{"metadata": {"m": 100, "n": 1.0}}'),
  (2, 'as it is stored', test.message('s', 'my key [REDACTED:provider_api_key]')
    || '{"metadata": {"m": 100, "n": 1.0}}'),
  (3, 'numbers of the same value', test.message('s', 'my key [REDACTED:provider_api_key]')
    || '{"metadata": {"m": 1e2, "n": 1}}')
) as v (place, what, message),
lateral pgthreads.append_thread('alice', 'r', jsonb_build_array(v.message)) as a
order by v.place;
select is(
  (select message -> 'metadata' ->> 'n' from pgthreads.read_messages('alice', 'r')), '1.0',
  'the bytes of the first one stay'
);
select results_eq(
  $$ select * from pgthreads.append_thread('alice', 'other', test.messages(1, 1)) $$,
  $$ values ('other', 1, 1) $$, 'another thread has message ids of its own'
);

select * from finish();
rollback;
