-- A token opens one thread, up to one message, and nothing else of its owner or of anybody.
begin;
select plan(49);
\ir ../helpers.psql

create function test.opens(p_token text, p_last int default null, p_before int default null)
returns text language sql volatile as $$
  select coalesce((
    select concat_ws(' ', string_agg(e.message ->> 'id', ' ' order by e.place),
      '<' || r.earlier_seq)
    from pgthreads.read_share(p_token, p_last, p_before) as r
    left join lateral json_array_elements(r.messages) with ordinality as e (message, place) on true
    group by r.earlier_seq
  ), 'nothing')
$$;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'shared', jsonb_build_array(
  test.message('s0', 'secret instructions', 'system'),
  test.message('m1') || '{"metadata": {"ip": "10.0.0.1"}}', test.message('m2', 'yes', 'assistant'),
  test.message('m3'), test.message('m4', 'no', 'assistant'))) \g /dev/null
select pgthreads.append_thread('alice', 'private', test.messages(1, 2)) \g /dev/null
select s.token as token, s.share_id as id from pgthreads.share_thread('alice', 'shared') as s \gset
select s.token as other from pgthreads.share_thread('alice', 'private') as s \gset
select pgthreads.set_tenant('bob') \gset
select pgthreads.append_thread('bob', 'shared', test.messages(5, 6)) \g /dev/null
select s.token as bobs from pgthreads.share_thread('bob', 'shared') as s \gset

-- What the token opens, and for whom.
select is(test.opens(:'token'), 'm1 m2 m3 m4', 'another tenant reads it');
select is(pgthreads.current_tenant(), 'bob', 'and stays who it is');
select set_config('app.current_user_id', '', true) \g /dev/null
select is(test.opens(:'token'), 'm1 m2 m3 m4', 'so does somebody without a tenant');
select is(pgthreads.current_tenant(), null, 'who gets none by it');
select is(current_setting('app.share_token', true), '', 'and finds no token left');
select is_empty($$ select from pgthreads.thread $$, 'no thread is visible afterwards');
select is_empty($$ select from pgthreads.message $$, 'and no message');
select is(test.opens(:'bobs'), 'm5 m6', 'a token opens the thread of its own owner');
select unalike(
  (select r::text from pgthreads.read_share(:'token') as r), '%' || v.text || '%',
  'it does not show: ' || v.text
)
from (values ('alice'), ('secret'), ('10.0.0.1'), ('metadata'), ('state')) as v (text);
select is(test.opens(:'token', 2), 'm3 m4 <4', 'a window');
select is(test.opens(:'token', 2, 4), 'm1 m2 <2', 'the one before it');
select is(test.opens(:'token', 2, 2), '', 'which ends with a system message');
select is(test.opens(:'token', null, 100), 'm1 m2 m3 m4', 'none goes beyond the link');
reset role;
update pgthreads.config set max_page_bytes = 180;
set local role tap_server;
select is(test.opens(:'token'), 'm3 m4 <4', 'a page of limited bytes');
reset role;
update pgthreads.config set max_page_bytes = default;
set local role tap_server;
select test.refuses(
  format('select pgthreads.read_share(%L, 0)', :'token'), '22023', null, null, 'not a window'
);
select is(pgthreads.current_tenant(), null, 'a refusal leaves no tenant');

-- What opens nothing.
select is(test.opens(v.token), 'nothing', 'not a token: ' || coalesce(left(v.token, 50), 'null'))
from (values (null), (''), ('x'), (:'id'), (repeat('A', 43)), (:'token' || 'A'),
  (left(:'token', 42)), (upper(:'token')), (repeat('x', 100000)), ('%' || repeat('_', 42))
) as v (token);
select throws_ok(
  'select from pgthreads.share', '42501', null, 'the links cannot be read'
);
select set_config('app.share_token', :'token', true) \g /dev/null
select throws_ok(
  'select from pgthreads.share', '42501', null, 'nor with the token in the setting'
);
select is_empty($$ select from pgthreads.thread $$, 'and the setting shows no thread');
select throws_ok(
  $$ select pgthreads.shared_message('{}') $$, '42501', null, 'the piece is not for servers'
);

-- The policy itself: as the owner role, which the functions run as.
reset role;
set local role pgthreads_owner;
select set_config('app.current_user_id', '', true), set_config('app.share_token', '', true)
\g /dev/null
select is_empty($$ select from pgthreads.share $$, 'without tenant and token there is no link');
select set_config('app.share_token', :'token', true) \g /dev/null
select is(
  (select string_agg(s.state_key, ' ') from pgthreads.share as s), 'shared',
  'a token shows its link'
);
update pgthreads.share set expires_at = 'infinity';
select is(
  (select count(*) from pgthreads.share as s where s.expires_at = 'infinity'), 0::bigint,
  'and changes none'
);
select set_config('app.share_token', encode(sha256(convert_to(:'token', 'UTF8')), 'hex'), true)
\g /dev/null
select is_empty($$ select from pgthreads.share $$, 'the digest shows nothing');
select set_config('app.share_token', '', true) \g /dev/null
reset role;

-- What ends a link.
update pgthreads.share set expires_at = clock_timestamp() where state_key = 'private';
set local role tap_server;
select is(test.opens(:'other'), 'nothing', 'an expired link');
reset role;
update pgthreads.config set max_share_age = '1 microsecond';
set local role tap_server;
select is(test.opens(:'token'), 'nothing', 'a link that is older than the limit allows');
reset role;
update pgthreads.config set max_share_age = '0';
set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select test.refuses(
  $$ select pgthreads.share_thread('alice', 'shared') $$, '22023', null, '%turned off%',
  'no link is made where they are turned off'
);
select is_empty($$ select pgthreads.list_shares('alice', 'shared') $$, 'and none is listed');
reset role;
update pgthreads.config set max_share_age = default;

-- Verified tenancy: a token of a link needs no other token, and gives none.
set local role pgthreads_owner;
insert into pgthreads.tenant_key (id) values ('first');
update pgthreads.config set require_verified_tenant = true;
set local role tap_server;
select set_config('app.current_user_id', '', true) \g /dev/null
select is(test.opens(:'token'), 'm1 m2 m3 m4', 'verified tenancy lets the link open its thread');
select is_empty($$ select from pgthreads.message $$, 'and nothing else');
select test.refuses(
  format('select pgthreads.set_tenant(%L)', :'token'), 'THTEN', null, null, 'it is no tenant''s'
);
reset role;
update pgthreads.config set require_verified_tenant = false;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'shared') \g /dev/null
select is(test.opens(:'token'), 'nothing', 'a deleted thread');
select is_empty($$ select pgthreads.list_shares('alice', 'shared') $$, 'has no links');
reset role;
update pgthreads.thread set deleted_at = now() - interval '100 days' where state_key = 'shared'
  and owner_user_id = 'alice';
select pgthreads.purge_threads('90 days') \g /dev/null
select is(
  (select count(*) from pgthreads.share as s where s.state_key = 'shared'), 1::bigint,
  'purging takes the links of a thread along, and no others'
);
select pgthreads.erase_owner('bob') \g /dev/null
set local role tap_server;
select is(test.opens(:'bobs'), 'nothing', 'an erased owner leaves no link');

select * from finish();
rollback;
