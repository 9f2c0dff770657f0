-- Whether a browser's `new URL(text)` takes a text. convertToModelMessages of the AI SDK calls that
-- for the url of a file part, and throws if it is refused. This function is stricter than the URL
-- standard where that is simpler.

create or replace function pgthreads.is_url(p_text text)
returns boolean
language sql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(case
    when p_text ~* '^data:' then true
    when p_text ~* '^(https?|wss?|ftp):' then
      p_text ~* ($r$^[a-z]+://([^/?#\\[:space:]]*@)?$r$
        || $r$(\[[0-9a-f:]*:[0-9a-f:]*(\.[0-9]{1,3}){0,3}\]$r$
        || '|((25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])[.]){3}(25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])'
        || '|(?!xn--)(([a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)[.])*'
        || '(?!xn--)[a-z_]([a-z0-9_-]*[a-z0-9_])?[.]?)'
        || '(:(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5]?[0-9]{1,4}))?'
        || '([/?#].*)?$')
    else p_text ~* '^[a-z][a-z0-9+.-]*:[^/[:space:]]'
  end, false);
$$;

comment on function pgthreads.is_url(text) is
  'Whether the text is an absolute URL that a browser''s new URL() takes.';
revoke all on function pgthreads.is_url(text) from public;
grant execute on function pgthreads.is_url(text) to pgthreads_server;
