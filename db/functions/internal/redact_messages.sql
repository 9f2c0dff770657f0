-- Returns UIMessages without secrets, in their order: redact_bodies() for jsonb.

create or replace function pgthreads.redact_messages(p_messages jsonb[])
returns jsonb[]
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
begin
  return array(
    select r.body::jsonb
    from unnest(pgthreads.redact_bodies(array(
      select m.message::text
      from unnest(p_messages) with ordinality as m (message, place)
      order by m.place
    ))) with ordinality as r (body, place)
    order by r.place
  );
end;
$$;

comment on function pgthreads.redact_messages(jsonb[]) is
  'The UIMessages with everything replaced that an enabled redaction rule finds.';
revoke all on function pgthreads.redact_messages(jsonb[]) from public;
