-- A page has a budget in bytes: it returns the newest messages that fit, at least one, and where
-- the previous page begins.
begin;
select plan(14);
\ir ../operators.psql
update pgthreads.config set max_page_bytes = 2980;

create function test.pages(p_key text, p_last int default null, p_leaf text default null)
returns setof text language plpgsql as $$
declare
  v_before int;
  v_ids text;
begin
  loop
    select (select string_agg(e ->> 'id', ' ') from json_array_elements(r.messages) as e),
      r.earlier_seq
    into strict v_ids, v_before
    from pgthreads.read_thread('alice', p_key, p_last, v_before, null, p_leaf) as r;
    return next v_ids;
    exit when v_before is null;
  end loop;
end;
$$;
create function test.sized(p_id text, p_bytes int, p_role text default 'user') returns jsonb
language sql as $$
  select test.message(p_id, (
    select string_agg(md5(p_id || n), '') from generate_series(1, p_bytes / 32) as n), p_role);
$$;

set local role tap_server;
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'even', (
  select jsonb_agg(test.sized('m' || n, 928) order by n)
    from generate_series(1, 7) as n)) \g /dev/null
select results_eq(
  $$ select test.pages('even') $$, array['m6 m7', 'm4 m5', 'm2 m3', 'm1'],
    'the newest that fit, then those before'
);
select results_eq(
  $$ select test.pages('even', 1) limit 2 $$, array['m7', 'm6'], 'a window that is smaller'
);
select results_eq(
  $$ select test.pages('even', 5) limit 1 $$, array['m6 m7'], 'a window that is larger'
);
select is(
  json_array_length(pgthreads.load_thread('alice', 'even')), 7,
    'load_thread returns the whole thread'
);
select is(
  (select count(*) from pgthreads.read_messages('alice', 'even')), 7::bigint, 'read_messages, too'
);
select pgthreads.append_thread('alice', 'large', jsonb_build_array(
  test.sized('a', 5000), test.sized('b', 100), test.sized('c', 5000),
    test.sized('d', 5000))) \g /dev/null
select results_eq(
  $$ select test.pages('large') $$, array['d', 'c', 'b', 'a'],
    'a message that is larger than a page comes alone'
);
-- These are compressed to a few bytes.
select pgthreads.append_thread('alice', 'dense', (
  select jsonb_agg(test.message('m' || n, repeat('x', 2900)) order by n)
  from generate_series(1, 3) as n)) \g /dev/null
select results_eq(
  $$ select test.pages('dense') $$, array['m3', 'm2', 'm1'], 'what counts is the size that is sent'
);
select pgthreads.append_thread('alice', 'empty', '[]') \g /dev/null
select results_eq(
  $$ select messages::text, earlier_seq from pgthreads.read_thread('alice', 'empty') $$,
  $$ values ('[]', null::int) $$, 'an empty thread'
);
select is_empty($$ select * from pgthreads.read_thread('alice', 'none') $$, 'no thread');
select results_eq(
  $$ select messages is null, earlier_seq from pgthreads.read_thread('alice', 'even', null, null, (
    select digest from pgthreads.read_thread('alice', 'even'))) $$,
  $$ values (true, null::int) $$, 'a caller that has the page'
);

-- Branches: m1 to m7, then b1 and b2 behind m3.
select pgthreads.append_thread('alice', 'even', jsonb_build_array(
  test.sized('b1', 928), test.sized('b2', 928)), p_parent_id => 'm3') \g /dev/null
select results_eq(
  $$ select test.pages('even') $$, array['b1 b2', 'm2 m3', 'm1'], 'the newest branch by pages'
);
select results_eq(
  $$ select test.pages('even', p_leaf => 'm7') $$, array['m6 m7', 'm4 m5', 'm2 m3', 'm1'],
    'another one'
);
select results_eq(
  $$ select test.pages('even', p_leaf => 'b1') $$, array['m3 b1', 'm1 m2'],
    'a page over the place where they part'
);
reset role;
update pgthreads.config set max_page_bytes = 1;
set local role tap_server;
select results_eq(
  $$ select test.pages('even') $$, array['b2', 'b1', 'm3', 'm2', 'm1'], 'a message a page at least'
);

select * from finish();
rollback;
