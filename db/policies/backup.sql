-- Row level security for backups: a member of pgthreads_backup reads every row of every table, so
-- that pg_dump --enable-row-security is complete where nobody is a superuser or has BYPASSRLS. It
-- is one rule for all tables, including those of later migrations and of optional parts, because
-- nobody would notice that a dump lacks a table until it is needed.

grant usage on schema pgthreads to pgthreads_backup;

do $$
declare
  v_table text;
begin
  for v_table in
    select c.relname
    from pg_catalog.pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'p')
    order by c.relname
  loop
    execute format('drop policy if exists backup on pgthreads.%I', v_table);
    execute format(
      'create policy backup on pgthreads.%I for select to pgthreads_backup using (true)', v_table);
    execute format('grant select on pgthreads.%I to pgthreads_backup', v_table);
  end loop;
end;
$$;
