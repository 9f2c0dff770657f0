-- Refuses an approval by a login that is not a member of all roles that approval_policy asks for.
-- What counts is session_user, which neither `set role` nor a function's owner changes. A role that
-- does not exist has no members.

create or replace function pgthreads.require_approver(p_tool_name text)
returns void
language plpgsql
stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role name;
begin
  select r.role_name into v_role
  from unnest(pgthreads.approval_roles(p_tool_name)) as r (role_name)
  where not exists (
    select
    from pg_catalog.pg_roles as g
    where g.rolname = r.role_name and pg_has_role(session_user, g.oid, 'member')
  )
  limit 1;
  if found then
    raise exception 'this login may not approve calls of this tool' using
      errcode = 'THAPR',
      detail = format('Calls of %s are approved by members of role %s, and %s is none.',
        quote_literal(left(p_tool_name, 256)), v_role, session_user),
      hint = 'Let a login that is a member call respond_turn. The policy is in approval_policy.';
  end if;
end;
$$;

comment on function pgthreads.require_approver(text) is
  'Raises THAPR unless this login may approve calls of the tool.';
revoke all on function pgthreads.require_approver(text) from public;
