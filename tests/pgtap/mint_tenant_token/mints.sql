begin;
select plan(8);
\ir ../helpers.psql

set local role pgthreads_owner;
select throws_like(
  $$ select pgthreads.mint_tenant_token('ada') $$, '%no key%', 'it takes a key'
);
insert into pgthreads.tenant_key (id, active_from) values ('old', '2001-01-01'), ('new', now());
insert into pgthreads.tenant_key (id, active_from) values ('next', now() + interval '1 day');
select matches(
  pgthreads.mint_tenant_token('ada', '1 hour'), '^YWRh\.[0-9]{10}\.[0-9a-f]{64}$',
  'a token is owner, expiry and mac'
);
select is(
  split_part(pgthreads.mint_tenant_token('ada', '1 hour'), '.', 2)::bigint - 3600,
  split_part(pgthreads.mint_tenant_token('ada', '1 second'), '.', 2)::bigint - 1,
  'the expiry is that far ahead'
);
select is(
  (
    select array_agg(k.id)
    from pgthreads.mint_tenant_token('ada') as t (token)
    cross join lateral (select string_to_array(t.token, '.') as field) as f
    cross join pgthreads.tenant_key as k
    where f.field[3] = encode(
      pgthreads.hmac_sha256(k.key, convert_to(f.field[1] || '.' || f.field[2], 'UTF8')), 'hex')
  ),
  array['new'], 'the key that became active last has signed it'
);
select is(
  pgthreads.set_tenant(pgthreads.mint_tenant_token(o.owner)), o.owner,
  'set_tenant reads it back: ' || left(o.owner, 10)
)
from (values (1, repeat('😀', 255)), (2, 'a'), (3, '??>>~~')) as o (place, owner)
order by o.place;
select test.refuses(
  $$ select pgthreads.mint_tenant_token('ada', '0') $$, '22023', '%00:00:00%', null,
  'no token without a time to live'
);

select * from finish();
rollback;
