-- Trigger of message: MESSAGES_GROW_ONLY. It stands behind the privileges and policies, and also
-- stops owners and superusers. Only the maintenance role may delete messages, and nobody may update
-- or truncate them.

create or replace function pgthreads.refuse_change()
returns trigger
language plpgsql
volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'DELETE' and current_user = 'pgthreads_maintenance' then
    return null;
  end if;
  raise exception 'messages are never changed or removed' using
    errcode = 'insufficient_privilege',
    detail = format('%s on %I.%I by %I.', tg_op, tg_table_schema, tg_table_name, current_user),
    hint = 'Append with pgthreads.append_thread; purge deleted threads as the maintenance role.';
end;
$$;

comment on function pgthreads.refuse_change() is
  'Trigger of message: refuses UPDATE, TRUNCATE, and DELETE by any role but maintenance.';
revoke all on function pgthreads.refuse_change() from public;
