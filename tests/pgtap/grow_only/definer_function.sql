-- A security definer function has the rights of its owner, and none of these is enough: an
-- operator's function cannot become maintenance, because PostgreSQL allows no such function to set
-- a role.
begin;
select plan(7);
\ir attacks.psql

create role tap_mallory nologin;
grant usage on schema pgthreads to tap_mallory;

create function test.plant(p_owner text, p_body text) returns void language plpgsql as $$
begin
  execute format(
    'create or replace function test.planted() returns void security definer language plpgsql '
      'as %L',
    'begin ' || p_body || '; end');
  execute format('alter function test.planted() owner to %I', p_owner);
end $$;
grant create on schema test to public;

select test.plant('tap_mallory', 'delete from pgthreads.message');
select test.attack('tap_server', 'a privilege', 'select test.planted()');
select test.plant('tap_server', 'delete from pgthreads.message');
select test.attack('tap_mallory', 'a privilege', 'select test.planted()');
select test.plant('pgthreads_owner', 'delete from pgthreads.message');
select test.attack('tap_server', 'the trigger', 'select test.planted()');
select test.plant(current_user, 'delete from pgthreads.message');
select test.attack('tap_server', 'the trigger', 'select test.planted()');
select test.plant('tap_operator', 'delete from pgthreads.message');
select test.attack('tap_server', 'the trigger', 'select test.planted()');
select test.plant('tap_operator', 'perform pgthreads.purge_threads()');
select test.attack('tap_server', 'its definer', 'select test.planted()');
select test.plant(
  current_user, 'set local role pgthreads_maintenance; delete from pgthreads.message'
);
select test.attack('tap_server', 'its definer', 'select test.planted()');

select * from finish();
rollback;
