-- Creates the login of the server, or gives it a new password. The installer runs this after each
-- installation: psql -v ON_ERROR_STOP=1 -f login.sql

\getenv password APP_PASSWORD
select 'create role app login in role pgthreads_server'
where not exists (select from pg_catalog.pg_roles as r where r.rolname = 'app') \gexec
alter role app password :'password';
alter role app set idle_in_transaction_session_timeout = '10s';
alter role app set lock_timeout = '2s';
