-- Messages that may hold a secret are redacted in batches, and what becomes of one does not depend
-- on its neighbours.
begin;
select plan(5);
\ir ../helpers.psql

create temp table many as
select n as place, jsonb_build_object(
  'id', 'm' || n,
  'role', 'user',
  'metadata', jsonb_build_object('n', n, 'key', 'sk-' || repeat('aB3x', 10)),
  'parts', jsonb_build_array(jsonb_build_object('type', 'text', 'text', case n % 5
    when 0 then 'clean'
    when 1 then 'a card: 4111 1111 1111 1111'
    when 2 then E'\uFDD1 stays where nothing is found'
    when 3 then E'4111 1111 1111 1111 \uFDD0'
    else '&pwd=a'
  end))) as message
from generate_series(1, 500) as n
union all
select 501, '{"id": "m501", "role": "user"}'::jsonb
  || jsonb_build_object('parts', jsonb_build_array(jsonb_build_object(
    'type', 'text', 'text', repeat('&pwd=a ', 9999))))
union all
select 502, '{"id": "m502", "role": "user", "parts": [{"type": "text", "text": "&pwd=b"}]}';

set local track_functions = 'pl';
create temp table prepared as
select p.place, p.message_id, p.body
from pgthreads.prepare_messages((select jsonb_agg(m.message order by m.place) from many as m))
  with ordinality as p (message_id, body, place);
select cmp_ok(
  pg_stat_get_xact_function_calls('pgthreads.redact_bodies(text[])'::regprocedure),
  '<', 20::bigint, 'one call for a batch'
);
select is(
  (select array_agg(p.message_id order by p.place) from prepared as p),
  (select array_agg('m' || m.place order by m.place) from many as m),
  'in their order'
);
select is_empty(
  $$
    select p.place
    from prepared as p
    join many as m using (place)
    where p.body <> pgthreads.redact_message(m.message)::text
  $$,
  'each message is what it is by itself'
);
select is(
  (select array_agg(p.message_id order by p.place) from pgthreads.prepare_messages((
    select jsonb_agg(m.message order by m.place) from (
      table many union all select 1000 + m.place, m.message from many as m where m.place < 9
    ) as m
  )) with ordinality as p (message_id, body, place)),
  (select array_agg(p.message_id order by p.place) from prepared as p),
  'the same message again is left out'
);
select test.refuses(
  $$
    select pgthreads.prepare_messages((select jsonb_agg(m.message order by m.place)
      from many as m) || '[{"id": "m7", "role": "user", "parts": [{"type": "text", "text": "x"}]}]')
  $$,
  'THDUP', 'messages[502] has the id ''m7'' of a message before it.', null,
  'other content under the same id is refused'
);

select * from finish();
rollback;
