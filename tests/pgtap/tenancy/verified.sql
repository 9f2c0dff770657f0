-- config.require_verified_tenant against sessions that name their tenant themselves. Each attack
-- runs as a member of pgthreads_server, which may make every setting and call every runtime
-- function.
begin;
select plan(37);
\ir ../helpers.psql

set local role pgthreads_owner;
insert into pgthreads.tenant_key (id) values ('first');
create temp table token on commit drop as
select o.owner, pgthreads.mint_tenant_token(o.owner) as token
from (values ('alice'), ('bob'), ('Zoë / 日本')) as o (owner);
grant select on token to tap_server;
reset role;

-- Two threads from before the switch was turned on.
set local role tap_server;
select a.appended from pgthreads.set_tenant('alice') as t (owner),
  lateral pgthreads.append_thread(t.owner, 'a', test.messages(1, 3)) as a;
select a.appended from pgthreads.set_tenant('bob') as t (owner),
  lateral pgthreads.append_thread(t.owner, 'b', test.messages(1, 2)) as a;
reset role;

-- What the session sees of both owners, in the tables, the view and the functions.
create function test.sees() returns text language sql volatile as $$
  select concat_ws('|',
    (select string_agg(t.owner_user_id, ',') from pgthreads.thread as t),
    (select string_agg(distinct m.owner_user_id, ',') from pgthreads.message as m),
    (select string_agg(v.owner_user_id || jsonb_array_length(v.messages), ',')
     from pgthreads.ai_threads as v),
    pgthreads.current_tenant());
$$;

update pgthreads.config set require_verified_tenant = true;
select ok(pgthreads.requires_token(), 'the switch is on');

set local role tap_server;
select is(
  (select pgthreads.set_tenant(k.token) from token as k where k.owner = 'alice'), 'alice',
  'set_tenant takes a token and returns its owner'
);
select is(test.sees(), 'alice|alice|alice3|alice', 'its rows are seen');
select is(
  (select a.message_count
   from token as k,
     lateral pgthreads.set_tenant(k.token) as t (owner),
     lateral pgthreads.append_thread(t.owner, 'a', test.messages(4, 4)) as a
   where k.owner = 'alice'),
  4, 'and its functions work, in one statement'
);
select is(
  (select pgthreads.set_tenant(k.token) from token as k where k.owner like 'Z%'), 'Zoë / 日本',
  'an owner is taken as it is'
);

-- Attack: a bare set.
set local app.current_user_id = 'bob';
set local app.tenant_proof = '';
select is(test.sees(), '', 'bare set: no rows, and no tenant');
select test.refuses(
  $$ select pgthreads.load_thread('bob', 'b') $$, 'THTEN', 'set_tenant did not set %',
  '%set_tenant(token)%', 'bare set: load_thread refuses'
);
select test.refuses(
  $$ select pgthreads.append_thread('bob', 'b', test.messages(3, 3)) $$,
  'THTEN', null, null, 'bare set: append_thread refuses'
);
select test.refuses(
  $$ select pgthreads.list_threads('bob') $$, 'THTEN', null, null, 'bare set: list_threads refuses'
);
set session app.current_user_id = 'bob';
select is(test.sees(), '', 'bare set for the session: no rows');
select test.refuses(
  $$ select pgthreads.set_tenant('bob') $$, 'THTEN', '%do not have the form%', '%not the owner%',
  'the bare owner: set_tenant refuses'
);

-- Attack: set after set_tenant in the same transaction.
select pgthreads.set_tenant(k.token) from token as k where k.owner = 'alice';
set local app.current_user_id = 'bob';
select is(test.sees(), '', 'set after set_tenant: no rows');
select test.refuses(
  $$ select pgthreads.load_thread('bob', 'b') $$, 'THTEN', null, null,
  'set after set_tenant: load_thread refuses'
);
set local app.current_user_id = 'alice';
select is(test.sees(), 'alice|alice|alice4|alice', 'the verified tenant is let in again');

-- Attack: the setting changes while a query runs.
select is_empty(
  $$
    select m.owner_user_id
    from (values (1, 'alice'), (2, 'bob')) as o (place, owner)
    cross join lateral (
      select set_config('app.current_user_id', o.owner, true) as setting
    ) as s
    cross join lateral (
      select x.owner_user_id from pgthreads.message as x where s.setting = o.owner
    ) as m
    where m.owner_user_id <> 'alice'
  $$,
  'set by a lateral in the query: no rows of another owner'
);
set local app.current_user_id = 'alice';
select is_empty(
  $$
    select t.owner_user_id
    from pgthreads.thread as t
    where set_config('app.current_user_id', 'bob', true) = 'bob' and t.owner_user_id <> 'alice'
  $$,
  'set by a condition of the query: no rows of another owner'
);

-- Attack: settings of the proof.
select pgthreads.set_tenant(k.token) from token as k where k.owner = 'alice';
create temp table kept on commit drop as select current_setting('app.tenant_proof') as proof;
set local app.current_user_id = 'bob';
set local app.tenant_proof = '0000000000000000000000000000000000000000000000000000000000000000';
select is(test.sees(), '', 'set local of a made-up proof: no rows');
select set_config('app.tenant_proof', k.proof, true) from kept as k;
select is(test.sees(), '', 'the proof of another owner: no rows');
select throws_ok(
  $$ select pgthreads.tenant_proof('bob') $$, '42501', null,
  'the proof cannot be asked for'
);
select throws_ok(
  $$ select pgthreads.mint_tenant_token('bob') $$, '42501', null,
  'nor can a token'
);
select throws_ok('select key from pgthreads.tenant_key', '42501', null, 'keys cannot be read');
select throws_ok(
  'select secret from pgthreads.tenant_secret', '42501', null, 'the secret cannot be read'
);
select throws_ok(
  'update pgthreads.config set require_verified_tenant = false', '42501', null,
  'the switch cannot be turned'
);
select throws_ok(
  'create or replace function pgthreads.requires_token() returns boolean return false', '42501',
  null, 'nor can what stands for it be replaced'
);

-- Attack: functions and tables that the session makes itself.
create function pg_temp.current_setting(text, boolean) returns text return 'bob';
create temp table tenant_secret (only_row boolean, secret bytea);
insert into tenant_secret values (true, '\x00');
select is(test.sees(), '', 'a function and a table of pg_temp: no rows');

-- Attacks on the token.
reset role;
create function test.mac(p_key bytea, p_text bytea) returns bytea
language sql security definer return pgthreads.hmac_sha256(p_key, p_text);
create function test.key_of(p_id text) returns bytea
language sql security definer
begin atomic
  select k.key from pgthreads.tenant_key as k where k.id = p_id;
end;
insert into pgthreads.tenant_key (id, active_from, active_until) values
  ('ended', '2001-01-01', '2002-01-01'),
  ('second', '2001-01-01', 'infinity');
create function test.signed(p_head text, p_key bytea) returns text
language sql
return p_head || '.' || encode(test.mac(p_key, convert_to(p_head, 'UTF8')), 'hex');
set local role tap_server;

select test.refuses(
  'select pgthreads.set_tenant(null)', 'THTEN', '%got null%', null, 'no token'
);
select test.refuses(
  'select pgthreads.set_tenant('''')', 'THTEN', '%got null%', null, 'an empty token'
);
select test.refuses(
  format('select pgthreads.set_tenant(%L)', k.token || '0'), 'THTEN', '%form%', null,
  'a token with something behind it'
)
from token as k where k.owner = 'bob';
select test.refuses(
  format('select pgthreads.set_tenant(%L)', test.signed('Ym9i.99999999999', repeat('x',
    32)::bytea)),
  'THTEN', '%fits no key%', null, 'forged token: signed by a key of the attacker'
);
select test.refuses(
  format('select pgthreads.set_tenant(%L)', 'Ym9i' || substr(k.token, strpos(k.token, '.'))),
  'THTEN', '%fits no key%', null, 'other owner''s token: with bob''s name put into it'
)
from token as k where k.owner = 'alice';
select test.refuses(
  format('select pgthreads.set_tenant(%L)',
    regexp_replace(k.token, '\.[0-9]+\.', '.99999999999.')),
  'THTEN', '%fits no key%', null, 'a token whose expiry was moved'
)
from token as k where k.owner = 'bob';
select test.refuses(
  format('select pgthreads.set_tenant(%L)', test.signed('Ym9i.1000000000', test.key_of('first'))),
  'THTEN', '%valid until 2001%', null, 'expired token'
);
select test.refuses(
  format('select pgthreads.set_tenant(%L)', test.signed('Ym9i.99999999999', test.key_of('ended'))),
  'THTEN', '%active_until%', null, 'unknown key: one that has ended'
);
select test.refuses(
  format('select pgthreads.set_tenant(%L)', test.signed('____.99999999999', test.key_of('first'))),
  'THTEN', '%first field%', null, 'a signed owner that is not UTF-8'
);
select test.refuses(
  format(
    'select pgthreads.load_thread(%L, %L) from pgthreads.set_tenant(%L)', 'bob', 'b', k.token),
  'THTEN', '%differs%', null, 'other owner''s token: alice''s for a call about bob'
)
from token as k where k.owner = 'alice';
select is(
  pgthreads.set_tenant(test.signed('Ym9i.99999999999', test.key_of(k.id))), 'bob',
  'two keys at once: ' || k.id
)
from (values ('first'), ('second')) as k (id)
order by k.id;

select * from finish();
rollback;
