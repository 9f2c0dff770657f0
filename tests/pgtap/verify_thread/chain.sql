-- A chain that fits, and every kind of change that a superuser can make without trigger and keys.
begin;
select plan(18);
\ir ../helpers.psql

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'empty', '[]') \g /dev/null
select pgthreads.append_thread('alice', 'one', jsonb_build_array(
  test.message('m', E'Ümläut "quoted" \\ 😀\n', 'assistant'))) \g /dev/null
select pgthreads.append_thread('alice', 'k', test.messages(1, 2)) \g /dev/null
select pgthreads.append_thread('alice', 'k', test.messages(3, 5)) \g /dev/null

select results_eq(
  format('select * from pgthreads.verify_thread(%L, %L)', 'alice', v.key),
  format('values (true, %s, null::int, null::text)', v.checked), v.key || ' fits'
)
from (values ('empty', 0), ('one', 1), ('k', 5)) as v (key, checked);

set local session_replication_role = replica;
-- It makes a change, asserts what is found, and undoes the change.
create function test.finds(p_sql text, p_bad_seq int, p_detail text, p_key text default 'k')
returns text
language plpgsql
as $$
declare
  v_found text;
begin
  begin
    execute p_sql;
    select format('%s %s %s', v.ok, coalesce(v.bad_seq::text, '-'), v.detail)
    into strict v_found
    from pgthreads.verify_thread('alice', p_key) as v;
    raise exception 'undone' using errcode = 'ZZZZZ';
  exception when sqlstate 'ZZZZZ' then
    null;
  end;
  return is(v_found, format('f %s %s', coalesce(p_bad_seq::text, '-'), p_detail),
    regexp_replace(btrim(p_sql), '\s+', ' ', 'g'));
end;
$$;
create function test.unfit(p_seq int) returns text immutable language sql return format(
  'Message %s does not fit the digest before it: it was changed, or one before it was.', p_seq);

select test.finds(v.change, v.seq, test.unfit(v.seq))
from (values
  (1, 1, $$ update pgthreads.message set message = '{"id": "m1"}' where message_id = 'm1' $$),
  (2, 3, $$ update pgthreads.message set message = (message::text || ' ')::json
    where message_id = 'm3' $$),
  (3, 5, $$ update pgthreads.message set message = '{"id": "m5"}' where message_id = 'm5' $$),
  (4, 2, $$ update pgthreads.message set digest = 'x' where message_id = 'm2' $$),
  (5, 1, $$ update pgthreads.message set digest = 'x' $$),
  -- If a digest is made to fit, the next message shows it.
  (6, 3, $$ update pgthreads.message
    set message = '{"id": "m2"}', digest = sha256((
      select b.digest from pgthreads.message as b where b.message_id = 'm1' and b.state_key = 'k'
    ) || '{"id": "m2"}')
    where message_id = 'm2' $$),
  -- Two messages that have changed places.
  (7, 2, $$ alter table pgthreads.message drop constraint message_pkey;
    update pgthreads.message set seq = 5 - seq where message_id in ('m2', 'm3') $$)
) as v (place, seq, change)
order by v.place;
select test.finds(v.change, v.seq, v.detail)
from (values
  (1, 3, 'Message 3 is missing.', $$ delete from pgthreads.message where message_id = 'm3' $$),
  (2, 1, 'Message 1 is missing.', $$ delete from pgthreads.message where message_id = 'm1' $$),
  (3, 4, 'Message 4 is stored under another id than its own.',
    $$ update pgthreads.message set message_id = 'other' where message_id = 'm4' $$),
  (4, 5, 'The thread''s header counts 5 messages, but 4 are stored.',
    $$ delete from pgthreads.message where message_id = 'm5' $$),
  (5, 5, 'The thread''s header counts 4 messages, but 5 are stored.',
    $$ update pgthreads.thread set message_count = 4 where state_key = 'k' $$),
  (6, 5, 'The digest in the thread''s header is not that of its last message.',
    $$ update pgthreads.thread set head_digest = 'x' where state_key = 'k' $$),
  (7, 1, 'The thread''s header counts 5 messages, but 0 are stored.',
    $$ delete from pgthreads.message $$)
) as v (place, seq, detail, change)
order by v.place;
select test.finds(
  $$ update pgthreads.thread set head_digest = 'x' where state_key = 'empty' $$, null,
  'The digest in the thread''s header is not that of its last message.', 'empty'
);

select * from finish();
rollback;
