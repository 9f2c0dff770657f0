-- Functions, operators and tables of another schema on the search path, and temporary ones: none is
-- used, because every function pins its path.
begin;
select plan(7);
\ir attacks.psql

create schema evil;
grant usage on schema evil to public;
create function evil.forge() returns void language plpgsql as $$
begin
  raise exception 'the caller''s function was called';
end $$;
create function evil.sha256(p bytea) returns bytea language sql
  as $$ select evil.forge(); select null::bytea $$;
create function evil.convert_to(p text, q name) returns bytea language sql
  as $$ select evil.forge(); select null::bytea $$;
create function evil.current_setting(p text, q boolean) returns text language sql
  as $$ select evil.forge(); select 'bob' $$;
create function evil.clock_timestamp() returns timestamptz language sql
  as $$ select evil.forge(); select null::timestamptz $$;
create function evil.equal(p text, q text) returns boolean language sql
  as $$ select evil.forge(); select true $$;
create operator evil.= (leftarg = text, rightarg = text, function = evil.equal);
create table evil.message (like pgthreads.message);
create table evil.thread (like pgthreads.thread);
grant all on all tables in schema evil to public;

create function test.shadowed() returns setof text language plpgsql as $$
begin
  create temp table message (like pgthreads.message);
  create temp table thread (like pgthreads.thread);
  create temp table config as select 1 as max_messages;
  create domain pg_temp.jsonb as text;
  create domain pg_temp.timestamptz as text;
  set local search_path = evil, pg_temp, pg_catalog;
  return query select a.appended::text
    from pgthreads.append_thread('alice', 'k', test.messages(1, 5)) as a;
  return query select v.ok::text from pgthreads.verify_thread('alice', 'k') as v;
  set local search_path = public;
end $$;
grant temporary on database :DBNAME to tap_server;
set local role tap_server;
select results_eq(
  'select * from test.shadowed()', array['2', 'true'], 'append_thread and verify_thread work'
);
reset role;
select is((select count(*)::int from evil.message), 0, 'nothing is in the planted table');
select is((select count(*)::int from pg_temp.message), 0, 'nor in the temporary one');
select is((select max(seq) from pgthreads.message), 5, 'but in the real one');

-- A planted function has only its caller's rights.
create function evil.append_thread(p_owner_user_id text, p_state_key text, p_messages jsonb)
returns void language sql as $$ delete from pgthreads.message $$;
select test.attack(role, stop, $$
  set local search_path = evil, pgthreads, pg_catalog;
  select append_thread('alice', 'k', '[]'::jsonb)
$$)
from (values
  ('tap_server', 'a privilege'), ('pgthreads_owner', 'the trigger'), (current_user, 'the trigger')
) as v (role, stop);

select * from finish();
rollback;
