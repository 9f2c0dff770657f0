-- What the chain cannot show: a tail that was rewritten with all digests and the header leaves a
-- chain that fits. Only a digest that was kept elsewhere reveals it.
begin;
select plan(4);
\ir attacks.psql

select digest as kept from pgthreads.read_thread('alice', 'k') \gset

set local session_replication_role = replica;
with recursive forged (seq, body, digest) as (
  select m.seq, m.message::text, m.digest
  from pgthreads.message as m
  where m.owner_user_id = 'alice' and m.seq = 1
  union all
  select f.seq + 1, b.body, sha256(f.digest || convert_to(b.body, 'UTF8'))
  from forged as f
  cross join lateral (
    select test.message('m' || f.seq + 1, 'forged')::text as body
  ) as b
  where f.seq < 3
)
update pgthreads.message as m
set message = f.body::json, digest = f.digest
from forged as f
where m.owner_user_id = 'alice' and m.seq = f.seq and m.seq > 1;
update pgthreads.thread
set head_digest = (
  select m.digest from pgthreads.message as m where m.owner_user_id = 'alice' and m.seq = 3
)
where owner_user_id = 'alice';
set local session_replication_role = origin;

select results_eq(
  $$ select message -> 'parts' -> 0 ->> 'text' from pgthreads.read_messages('alice', 'k') $$,
  array['text 1', 'forged', 'forged'], 'a superuser has written the tail anew'
);
select results_eq(
  $$ select ok, checked from pgthreads.verify_thread('alice', 'k') $$, 'values (true, 3)',
  'and the chain fits'
);
select isnt(
  (select digest from pgthreads.read_thread('alice', 'k')), :'kept',
  'but the last digest is not the one that was kept'
);
select is(
  (select encode(digest, 'hex') from pgthreads.message where owner_user_id = 'alice' and seq = 1),
  encode(sha256(convert_to(test.message('m1', 'text 1')::text, 'UTF8')), 'hex'),
  'the digest of what was not rewritten is'
);

select * from finish();
rollback;
