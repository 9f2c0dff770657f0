-- For servers and doctor: what of this site its operators should know. Settings that the session's
-- login has of its own, or the database for all (see `alter role … set`): every program that uses
-- the login shares them, so one that is meant for a report or a dump meets the server, too. And
-- whether stored messages need a PostgreSQL with lz4.

create or replace function pgthreads.site_notes()
returns table (topic text, note text)
language sql
stable
rows 10
set search_path = pg_catalog, pg_temp
as $$
  select
    'login setting',
    format('%s set %s',
      case
        when s.setdatabase = 0 and s.setrole = 0 then 'alter role all'
        when s.setdatabase = 0 then format('alter role %I', session_user)
        when s.setrole = 0 then format('alter database %I', current_database())
        else format('alter role %I in database %I', session_user, current_database())
      end,
      c.setting)
  from pg_db_role_setting as s
  cross join lateral unnest(s.setconfig) as c (setting)
  where s.setdatabase in (
      0, (select d.oid from pg_database as d where d.datname = current_database())
    )
    and s.setrole in (0, session_user::regrole)
  union all
  select
    'compression',
    'messages are compressed by lz4: a PostgreSQL without lz4 takes a dump of them only if it is'
      ' made with --no-toast-compression'
  from pg_attribute as a
  where a.attrelid = 'pgthreads.message'::regclass and a.attname = 'message'
    and a.attcompression = 'l';
$$;

comment on function pgthreads.site_notes() is
  'What an operator should know: settings of the session''s login, compression.';
revoke all on function pgthreads.site_notes() from public;
grant execute on function pgthreads.site_notes() to pgthreads_server;
