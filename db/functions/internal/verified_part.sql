-- This is not called any more, but during an upgrade a call of the release before may be running
-- it.
--
-- Which part of a rule's match passes the rule's check: verified_parts() for one text.

create or replace function pgthreads.verified_part(p_text text, p_verifier text)
returns int[]
language plpgsql
immutable
parallel safe
set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when v.starts[1] is not null then array[v.starts[1], v.lengths[1]] end
    from pgthreads.verified_parts(array[p_text], p_verifier) as v
  );
end;
$$;

comment on function pgthreads.verified_part(text, text) is
  'Start and length of what passes the check of a redaction rule; null if nothing does.';
revoke all on function pgthreads.verified_part(text, text) from public;
