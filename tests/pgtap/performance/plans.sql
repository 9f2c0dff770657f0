-- Faults that once made calls slow: a plan that was compiled just in time, a search of the whole
-- thread for a title, parts appended to a jsonb array one by one. The times are such that only
-- these faults exceed them. For a plan that read all of a long thread, the rows that are read are
-- counted.
begin;
select plan(17);
\ir ../helpers.psql

select is_empty(
  $$
    select oid::regprocedure
    from pg_proc
    where pronamespace = 'pgthreads'::regnamespace
      and 'enable_seqscan=off' = any (proconfig)
      and not 'jit=off' = any (proconfig)
  $$,
  'a function that makes scans look dear has no plan compiled for it'
);
set local role tap_server;
set local jit = on;
set local statement_timeout = '20s';
select pgthreads.set_tenant('alice') \gset
select lives_ok(
  $$
    select pgthreads.append_thread('alice', 'leaves', jsonb_build_array(jsonb_build_object(
      'id', 'i', 'role', 'assistant', 'parts', '[]'::jsonb, 'metadata',
      (select jsonb_agg('bearer ' || i) from generate_series(1, 20000) as i))))
  $$,
  '20,000 strings that the screen hits'
);
select lives_ok(
  $$
    select pgthreads.append_thread('alice', 'parts', jsonb_build_array(jsonb_build_object(
      'id', 'i', 'role', 'assistant', 'parts',
      (select jsonb_agg(jsonb_build_object('type', 'text', 'text', 'bearer ' || i))
        from generate_series(1, 10000) as i))))
  $$,
  '10,000 parts that the screen hits'
);
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'many', test.messages(1, 10000)) $$,
  '10,000 messages in one call'
);
select lives_ok(
  $$ select pgthreads.append_thread('alice', 'many', test.messages(1, 10000)) $$, 'and once more'
);
select lives_ok(
  $$
    do $do$
    begin
      for i in 1..2000 loop
        perform pgthreads.append_thread(
          'alice', 'untitled', jsonb_build_array(test.message('m' || i, 'hello', 'assistant')));
      end loop;
    end;
    $do$
  $$,
  '2,000 appends to a thread without a title'
);

reset role;
set local app.current_user_id = '';
create function test.rows_read(p_statement text) returns bigint language plpgsql as $$
declare
  v_before bigint;
  v_after bigint;
begin
  select coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0) into v_before
  from pg_stat_xact_user_tables as s where s.relid = 'pgthreads.message'::regclass;
  execute p_statement;
  select coalesce(s.seq_tup_read, 0) + coalesce(s.idx_tup_fetch, 0) into v_after
  from pg_stat_xact_user_tables as s where s.relid = 'pgthreads.message'::regclass;
  return v_after - v_before;
end;
$$;
grant execute on function test.rows_read(text) to public;
set local role tap_server;
select pgthreads.set_tenant('bob') \gset
select pgthreads.append_thread('bob', 'long', test.messages(1, 3000)) \g /dev/null
do $$
begin
  for i in 1..500 loop
    perform pgthreads.append_thread('bob', 'short' || i, test.messages(1, 2));
  end loop;
end;
$$;
reset role;
analyze pgthreads.thread, pgthreads.message, pgthreads.turn;
set local role tap_server;
select cmp_ok(test.rows_read(s.statement), '<', 60::bigint, s.statement)
from (
  values
    ($$ select pgthreads.append_thread('bob', 'long', test.messages(3001, 3001)) $$),
    ($$ select pgthreads.append_thread('bob', 'long', test.messages(3001, 3001)) $$),
    ($$ select pgthreads.begin_turn('bob', 'long', test.message('q', 'q', 'user'), 't1', 20) $$),
    ($$ select pgthreads.append_thread('bob', 'long',
      jsonb_build_array(test.message('a', 'a', 'assistant')), null, 't1'),
      pgthreads.finish_turn('bob', 'long', 't1', 'completed') $$),
    ($$ select pgthreads.begin_turn('bob', 'long', test.message('q', 'q', 'user'), 't2', 20) $$),
    ($$ select pgthreads.begin_turn('bob', 'long', null, 't3', 20, null, null, true) $$),
    ($$ select pgthreads.append_thread('bob', 'long',
      jsonb_build_array(test.message('b', 'b', 'assistant')), null, 't3'),
      pgthreads.finish_turn('bob', 'long', 't3', 'completed') $$),
    ($$ select pgthreads.begin_turn('bob', 'long', test.message('q2', 'q', 'user'), 't4', 20) $$),
    ($$ select pgthreads.complete_turn('bob', 'long', 't4', 'completed',
      test.message('c', 'c', 'assistant'), '{"tokens": 1}', null, 0, 'x') $$),
    ($$ select pgthreads.load_thread('bob', 'long', 20) $$),
    ($$ select pgthreads.read_thread('bob', 'long', 20, 2000) $$)
) as s (statement);

select * from finish();
rollback;
