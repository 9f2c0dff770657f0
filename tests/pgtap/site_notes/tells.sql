-- It shows settings of the session's login and database, and no others; and lz4 if messages use it.
begin;
select plan(3);
\ir ../helpers.psql

create role tap_other nologin;
alter role tap_other set work_mem = '1MB';
do $$
begin
  execute format('alter role %I set row_security = off', session_user);
  execute format('alter role %I in database %I set work_mem = ''2MB''',
    session_user, current_database());
  execute format('alter database %I set default_transaction_read_only = on', current_database());
end;
$$;
set local role tap_server;

select set_eq(
  $$ select note from pgthreads.site_notes() where topic = 'login setting' $$,
  array[
    format('alter role %I set row_security=off', session_user),
    format('alter role %I in database %I set work_mem=2MB', session_user, current_database()),
    format('alter database %I set default_transaction_read_only=on', current_database())
  ],
  'settings of the login, of the database, and of both'
);
reset role;
update pg_attribute set attcompression = 'l'
where attrelid = 'pgthreads.message'::regclass and attname = 'message';
set local role tap_server;
select is(
  (select count(*) from pgthreads.site_notes() where note ~ 'no-toast-compression'), 1::bigint,
  'messages that are compressed by lz4'
);
reset role;
update pg_attribute set attcompression = ''
where attrelid = 'pgthreads.message'::regclass and attname = 'message';
set local role tap_server;
select is(
  (select count(*) from pgthreads.site_notes() where topic = 'compression'), 0::bigint,
  'messages that are not'
);

select * from finish();
rollback;
