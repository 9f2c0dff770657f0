-- Refuses JSON that may not be stored, before any other function prints it or goes down into it.
-- This is the one check of depth, numbers and size for all that is stored. p_what names the value
-- in the error.

create or replace function pgthreads.require_storable(p_value jsonb, p_what text, p_bytes int)
returns void
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bytes int;
begin
  if not pgthreads.is_shallow(p_value) then
    raise exception '% is nested too deep', p_what using
      errcode = 'THMAX',
      detail = 'It has more than 60 levels.',
      hint = 'Nest at most 60 levels: pass what is deeper as a string that holds its JSON.';
  end if;
  if not pgthreads.is_short(p_value, p_bytes) then
    if pg_column_size(p_value) <= p_bytes::bigint * 4 + 1024
      and not pgthreads.has_plain_numbers(p_value)
    then
      raise exception 'a number in % is too large or too long', p_what using
        errcode = 'THMSG',
        detail = 'A number in it is too large or too long for a double.',
        hint = 'Pass such a number as a string.';
    end if;
    raise exception '% is too large', p_what using
      errcode = 'THMAX',
      detail = format('Its text has more bytes than the limit of %s.', p_bytes),
      hint = 'Keep large content elsewhere and refer to it by a URL.';
  end if;
  -- What is_short() lets pass may be longer, but not by so much that it could not be printed. The
  -- text is never longer than 36 times the size as jsonb.
  if pg_column_size(p_value) > p_bytes / 36 then
    v_bytes := octet_length(p_value::text);
    if v_bytes > p_bytes then
      raise exception '% is too large', p_what using
        errcode = 'THMAX',
        detail = format('%s has %s bytes; the limit is %s.', p_what, v_bytes, p_bytes),
        hint = 'Keep large content elsewhere and refer to it by a URL.';
    end if;
  end if;
end;
$$;

comment on function pgthreads.require_storable(jsonb, text, int) is
  'Raises THMAX or THMSG for JSON that is too deep or too large, or whose numbers no double holds.';
revoke all on function pgthreads.require_storable(jsonb, text, int) from public;
