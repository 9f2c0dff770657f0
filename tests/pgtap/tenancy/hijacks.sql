-- A caller can hide names behind its own temporary tables, views, functions, operators and types,
-- or by a search_path. The functions see none of these.
begin;
select plan(6);
\ir ../helpers.psql

select pgthreads.set_tenant('bob') \gset
select pgthreads.append_thread('bob', 'k', test.messages(1, 1)) \g /dev/null
create schema trap;
grant all on schema trap to tap_server;
set local role tap_server;
select pgthreads.set_tenant('alice') \gset

create temp table thread (like pgthreads.thread);
create temp table message (like pgthreads.message);
create temp table config (max_messages int, redaction_screen pg_catalog.text);
create temp view jsonb_array_elements as select 1 as trap;
create domain pg_temp.text as pg_catalog.text check (value <> 'k');
create function trap.jsonb_typeof(jsonb) returns text language sql as $$ select 'array'::text $$;
create function trap.nullif(text, text) returns text language sql as $$ select 'bob'::text $$;
create function trap.current_setting(text, boolean) returns text language sql
  as $$ select 'bob'::text $$;
create function trap.sha256(bytea) returns bytea language sql as $$ select '\x00'::bytea $$;
create function trap.never(text, text) returns boolean language sql as $$ select true $$;
create operator trap.= (leftarg = text, rightarg = text, function = trap.never);
create operator trap.!~ (leftarg = text, rightarg = text, function = trap.never);
set local search_path = trap, pg_temp, pg_catalog, public;

select is(
  (select count(*) from pgthreads.ai_threads)::int, 0, 'the view shows no other tenant''s'
);
select is(
  (select a.message_count from pgthreads.append_thread('alice', 'k',
    jsonb_build_array(test.message('m', 'sk-' || repeat('a', 40)))) as a),
  1, 'an append goes to the real table'
);
select is((select count(*) from pg_temp.message)::int, 0, 'and none into a temporary one');
set local search_path = public;
select is(
  (select m.message -> 'parts' -> 0 ->> 'text' from pgthreads.read_messages('alice', 'k') as m),
  '[REDACTED:provider_api_key]', 'redacted'
);
set local search_path = trap, pg_temp, pg_catalog, public;
select throws_ok(
  $$ select pgthreads.load_thread('bob', 'k') $$, 'THTEN', null, 'no other tenant''s thread'
);
reset role;
set local search_path = public;
select is(
  (select m.digest from pgthreads.message as m where m.owner_user_id = 'alice'),
  (select sha256(convert_to(m.message::text, 'UTF8'))
    from pgthreads.message as m where m.owner_user_id = 'alice'),
  'the digest is a real one'
);

select * from finish();
rollback;
