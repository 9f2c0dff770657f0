-- What operators should know of this installation; servers and doctor print it. The notes tell of
-- settings that the session's login or the database has (see `alter role … set`). Every program
-- that uses the login gets them, so a setting that was meant for reports or dumps also affects the
-- server. Another note tells that a dump of the stored messages needs a PostgreSQL with lz4.

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
    'messages are compressed by lz4: a PostgreSQL without lz4 takes a dump of them only if it was'
      ' made with --no-toast-compression'
  from pg_attribute as a
  where a.attrelid = 'pgthreads.message'::regclass and a.attname = 'message'
    and a.attcompression = 'l';
$$;

comment on function pgthreads.site_notes() is
  'What an operator should know: the settings of the session''s login, and the compression.';
revoke all on function pgthreads.site_notes() from public;
grant execute on function pgthreads.site_notes() to pgthreads_server;
