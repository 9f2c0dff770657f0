-- What once made a call slow: a plan compiled just in time, a search of the whole thread for a title,
-- a part appended to a jsonb array one by one. Within times that only such a fault exceeds.
begin;
select plan(6);
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

select * from finish();
rollback;
