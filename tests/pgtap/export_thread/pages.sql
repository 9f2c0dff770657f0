-- All messages of one branch, from the beginning on, in pages of limited size.
begin;
select plan(22);
\ir ../helpers.psql

create function test.exported(p_key text, p_leaf text default null) returns text
language plpgsql as $$
declare
  v_after int := 0;
  v_head int;
  v_all text[] := '{}';
  v_ids text;
begin
  loop
    select string_agg(e.message ->> 'id', ' ' order by e.seq), max(e.seq), max(e.head_seq)
    into v_ids, v_after, v_head
    from pgthreads.export_thread('alice', p_key, v_after, v_head, p_leaf) as e;
    exit when v_ids is null;
    v_all := array_append(v_all, v_ids);
  end loop;
  return array_to_string(v_all, ' | ');
end;
$$;

set local role tap_server;
select test.refuses(
  $$ select pgthreads.export_thread('alice', 'k') $$, 'THTEN', null, null, 'no tenant'
);
select pgthreads.set_tenant('alice') \gset
select is(test.exported('k'), '', 'no such thread');
select test.refuses(
  $$ select pgthreads.export_thread('alice', '') $$, 'THKEY', null, null, 'a bad key'
);
select test.refuses(
  format('select pgthreads.export_thread(%L, %L, %s)', 'alice', 'k', v.arguments), '22023', null,
  null, 'refused: ' || v.arguments
)
from (values ('-1'), ('null'), ('0, 0')) as v (arguments);
select pgthreads.append_thread('alice', 'k', test.messages(1, 5)) \g /dev/null
select is(test.exported('k'), 'm1 m2 m3 m4 m5', 'a thread that fits on a page');
select results_eq(
  $$ select seq, message ->> 'id', created_at is not null, head_seq
    from pgthreads.export_thread('alice', 'k', 3, 5) $$,
  $$ values (4, 'm4', true, 5), (5, 'm5', true, 5) $$, 'the rows behind a place'
);
select pgthreads.append_thread('alice', 'k', test.messages(6, 6)) \g /dev/null
select is(
  (select string_agg(message ->> 'id', ' ' order by seq)
    from pgthreads.export_thread('alice', 'k', 3, 5)),
  'm4 m5', 'what is appended meanwhile is not on later pages'
);

-- Branches.
select pgthreads.append_thread('alice', 'k', jsonb_build_array(
  test.message('b1'), test.message('b2')), p_parent_id => 'm2') \g /dev/null
select is(test.exported('k'), 'm1 m2 b1 b2', 'the newest branch');
select is(test.exported('k', 'm6'), 'm1 m2 m3 m4 m5 m6', 'another one');
select is(
  (select string_agg(message ->> 'id', ' ' order by seq)
    from pgthreads.export_thread('alice', 'k', 3, 6)),
  'm4 m5 m6', 'which goes on although there is a newer one'
);
select test.refuses(
  $$ select pgthreads.export_thread('alice', 'k', p_leaf_id => 'none') $$, 'THNON', null, null,
  'no such branch'
);

-- Pages.
reset role;
update pgthreads.config set max_page_bytes = 180;
set local role tap_server;
select is(test.exported('k'), 'm1 m2 | b1 b2', 'pages of limited bytes');
select is(test.exported('k', 'm6'), 'm1 m2 | m3 m4 | m5 m6', 'of each branch');
reset role;
update pgthreads.config set max_page_bytes = 1;
set local role tap_server;
select is(test.exported('k'), 'm1 | m2 | b1 | b2', 'and at least one message');
reset role;
update pgthreads.config set max_page_bytes = default;
set local role tap_server;
select pgthreads.append_thread('alice', 'long', test.messages(1, 1100)) \g /dev/null
select is(
  (select array_length(string_to_array(test.exported('long'), ' | '), 1)), 3, 'pages of 500'
);
select is(
  replace(test.exported('long'), ' | ', ' '),
  (select string_agg('m' || i, ' ' order by i) from generate_series(1, 1100) as i),
  'which have everything in order'
);

-- An answer that waits.
select pgthreads.begin_turn('alice', 'open', test.message('u'), 't') \g /dev/null
select pgthreads.pause_turn('alice', 'open', 't', '{"id": "a1", "role": "assistant", "parts": [
  {"type": "tool-x", "toolCallId": "c1", "state": "input-available", "input": {}}]}') \g /dev/null
select is(test.exported('open'), 'u a1', 'an answer that waits is the last message');
reset role;
update pgthreads.config set max_page_bytes = 1;
set local role tap_server;
select is(test.exported('open'), 'u | a1', 'also on a page of its own');

select pgthreads.set_tenant('bob') \gset
select is_empty($$ select pgthreads.export_thread('bob', 'k') $$, 'nothing of another owner');
select pgthreads.set_tenant('alice') \gset
select pgthreads.soft_delete_thread('alice', 'k') \g /dev/null
select is(test.exported('k'), '', 'nothing of a deleted thread');

select * from finish();
rollback;
