-- The database roles of all of which a login has to be a member to approve a call of this tool; an
-- empty array if anybody may who may respond. In a pattern of approval_policy only * means
-- something else than itself.

create or replace function pgthreads.approval_roles(p_tool_name text)
returns name[]
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(distinct p.role_name), '{}')
  from pgthreads.approval_policy as p
  where p_tool_name like replace(
    replace(replace(replace(p.tool_name, '!', '!!'), '%', '!%'), '_', '!_'), '*', '%') escape '!';
$$;

comment on function pgthreads.approval_roles(text) is
  'The roles of all of which a login has to be a member to approve a call of this tool.';
revoke all on function pgthreads.approval_roles(text) from public;
