-- Links are made, listed, made anew and revoked; the table never has a token.
begin;
select plan(37);
\ir ../helpers.psql

create function test.opens(p_token text) returns text language sql volatile as $$
  select coalesce((
    select string_agg(e.message ->> 'id', ' ' order by e.place)
    from pgthreads.read_share(p_token) as r,
      json_array_elements(r.messages) with ordinality as e (message, place)
  ), 'nothing')
$$;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.share_thread('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select test.refuses(
  $$ select pgthreads.list_shares('alice', 'k') $$, 'THTEN', null, null, 'nor to list'
);
select test.refuses(
  $$ select pgthreads.revoke_share('alice', 'k', 's') $$, 'THTEN', null, null, 'nor to revoke'
);
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.share_thread('alice', 'k') $$, 'THNON', null, null, 'no such thread'
);
select pgthreads.append_thread('alice', 'k', '[]') \g /dev/null
select test.refuses(
  $$ select pgthreads.share_thread('alice', 'k') $$, 'THNON', '%no messages%', null, 'no messages'
);
select pgthreads.append_thread('alice', 'k', test.messages(1, 3)) \g /dev/null
select test.refuses(
  format('select pgthreads.share_thread(%L, %L, %s)', 'alice', 'k', v.arguments), v.sqlstate, null,
  null, 'refused: ' || v.arguments
)
from (values
  (1, '''0''', '22023'), (2, '''-1 day''', '22023'), (3, '''366 days''', '22023'),
  (4, 'null', '22023'), (5, '''1 day'', p_share_id => ''''', '22023'),
  (6, '''1 day'', p_share_id => repeat(''x'', 129)', '22023'),
  (7, '''1 day'', p_leaf_id => ''none''', 'THNON')
) as v (place, arguments, sqlstate)
order by v.place;

select s.share_id as first_id, s.token as first, s.expires_at as first_expires
from pgthreads.share_thread('alice', 'k', '1 hour') as s \gset
select matches(:'first'::text, '^[A-Za-z0-9_-]{43}$', 'a token of 256 bits');
select is(test.opens(:'first'), 'm1 m2 m3', 'opens the thread');
select results_eq(
  $$ select s.title, s.head_seq, s.expires_at - s.created_at
    from pgthreads.list_shares('alice', 'k') as s $$,
  $$ values ('text 1', 3, interval '1 hour') $$, 'the list has the link'
);
select is(test.opens(:'first_id'), 'nothing', 'its id opens nothing');
reset role;
select ok(
  (select strpos(s::text, :'first') = 0 and s.token_sha256 = sha256(convert_to(:'first', 'UTF8'))
    from pgthreads.share as s),
  'the table has the digest of the token, not the token'
);
set local role tap_server;

-- It is a snapshot.
select pgthreads.append_thread('alice', 'k', test.messages(4, 4)) \g /dev/null
select pgthreads.update_thread('alice', 'k', 'Private') \g /dev/null
select is(test.opens(:'first'), 'm1 m2 m3', 'a later message is not shown');
select is((select r.title from pgthreads.read_share(:'first') as r), 'text 1', 'nor a later title');
select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('b')),
  p_parent_id => 'm1') \g /dev/null
select is(test.opens(:'first'), 'm1 m2 m3', 'nor another branch');
select s.token as branch from pgthreads.share_thread('alice', 'k', p_leaf_id => 'm4') as s \gset
select is(test.opens(:'branch'), 'm1 m2 m3 m4', 'a link to a branch');
select s.token as newest from pgthreads.share_thread('alice', 'k') as s \gset
select is(test.opens(:'newest'), 'm1 b', 'a link to the newest one');
select is((select count(*) from pgthreads.list_shares('alice', 'k')), 3::bigint, 'three links');

-- The same id again.
select s.token as again
from pgthreads.share_thread('alice', 'k', p_share_id => :'first_id') as s \gset
select is(test.opens(:'first'), 'nothing', 'a repeated call ends the token before');
select is(test.opens(:'again'), 'm1 b', 'and returns one that opens the thread as it is');
select is(
  (select count(*) from pgthreads.list_shares('alice', 'k')), 3::bigint, 'of the same link'
);

-- Revoking.
select is(pgthreads.revoke_share('alice', 'k', 'none'), false, 'no such link');
select is(pgthreads.revoke_share('alice', 'other', :'first_id'), false, 'of another thread');
select is(pgthreads.revoke_share('alice', 'k', :'first_id'), true, 'a link is revoked');
select is(test.opens(:'again'), 'nothing', 'and opens nothing');
select is(pgthreads.revoke_share('alice', 'k', :'first_id'), true, 'a second time is no error');
select pgthreads.set_tenant('bob') \gset
select is(pgthreads.revoke_share('bob', 'k', :'first_id'), false, 'nobody else revokes a link');
select is_empty($$ select pgthreads.list_shares('bob', 'k') $$, 'or lists links');
select test.refuses(
  $$ select pgthreads.share_thread('bob', 'k') $$, 'THNON', null, null, 'or shares the thread'
);

-- An answer that waits, and limits.
select pgthreads.set_tenant('alice') \gset
select pgthreads.begin_turn('alice', 'open', test.message('u'), 't') \g /dev/null
select pgthreads.pause_turn('alice', 'open', 't', '{"id": "a1", "role": "assistant", "parts": [
  {"type": "tool-x", "toolCallId": "c1", "state": "input-available", "input": {}}]}') \g /dev/null
select s.token as waits from pgthreads.share_thread('alice', 'open') as s \gset
select is(test.opens(:'waits'), 'u', 'an answer that waits is not shown');
select pgthreads.share_thread('alice', 'k', p_share_id => 's' || i)
from generate_series(1, 98) as i \g /dev/null
select test.refuses(
  $$ select pgthreads.share_thread('alice', 'k') $$, 'THMAX', '%100 links%', null, 'the 101st link'
);
select lives_ok(
  $$ select pgthreads.share_thread('alice', 'k', p_share_id => 's1') $$, 'but one of them anew'
);

select * from finish();
rollback;
