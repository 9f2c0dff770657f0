-- Splits thread, message and turn into hash partitions by owner, together with their data. Every
-- function, policy and key works on them as before, because each names the owner first.
--
--   psql -1 -v ON_ERROR_STOP=1 -f db/optional/partition_by_owner.sql -f db/install.sql
--
-- Run both files in one transaction, because the second one creates policies, triggers, grants and
-- views again. Run them as a superuser, because row level security does not stop superusers from
-- copying the rows, and while nobody is served, because every row is copied under exclusive locks.
-- If anything else depends on the tables, such as a view or a foreign key of an application, this
-- fails; drop that first and create it again afterwards. There will be 16 partitions unless the
-- setting pgthreads.partitions says otherwise: PGOPTIONS='-c pgthreads.partitions=64' psql …

set local search_path = pg_catalog, pg_temp;
set local client_min_messages = warning;

do $$
declare
  v_partitions int :=
    coalesce(nullif(current_setting('pgthreads.partitions', true), ''), '16')::int;
  v_tables constant text[] := array['thread', 'message', 'turn'];
  v_table text;
  v_part text;
  v_found record;
begin
  lock table pgthreads.thread, pgthreads.message, pgthreads.turn in access exclusive mode;

  set local role pgthreads_owner;
  foreach v_table in array v_tables loop
    execute format(
      'create table pgthreads.%1$s_split (like pgthreads.%1$s including all)'
      ' partition by hash (owner_user_id)', v_table);
    for v_remainder in 0..v_partitions - 1 loop
      v_part := format('pgthreads.%s_%s', v_table, v_remainder);
      execute format(
        'create table %s partition of pgthreads.%s_split'
        ' for values with (modulus %s, remainder %s) %s',
        v_part, v_table, v_partitions, v_remainder,
        (
          select 'with (' || array_to_string(c.reloptions, ', ') || ')'
          from pg_class as c
          where c.oid = format('pgthreads.%s', v_table)::regclass
        ));
      -- A table's policies and statement triggers do not hold for whoever names one of its
      -- partitions. These do.
      execute format('alter table %s enable row level security', v_part);
      execute format('alter table %s force row level security', v_part);
      execute format(
        'create policy %s_owner on %s for select to pgthreads_owner using (owner_user_id ='
        ' nullif(current_setting(''app.current_user_id'', true), ''''))', v_table, v_part);
      execute format('comment on table %s is %L', v_part,
        format('The rows of some owners in %s; always use that table.', v_table));
      if v_table = 'message' then
        execute format(
          'create trigger message_grow_only before update or delete or truncate on %s'
          ' for each statement execute function pgthreads.refuse_change()', v_part);
      end if;
    end loop;
  end loop;
  reset role;

  foreach v_table in array v_tables loop
    execute format('insert into pgthreads.%1$s_split select * from pgthreads.%1$s', v_table);
    execute format('comment on table pgthreads.%s_split is %L', v_table,
      obj_description(format('pgthreads.%s', v_table)::regclass, 'pg_class'));
  end loop;

  -- Indexes and constraints get their old names, because functions and later migrations use them.
  create temporary table renamed on commit drop as
  select n.indexrelid::regclass as index,
    (select c.relname from pg_class as c where c.oid = o.indexrelid) as name
  from unnest(v_tables) as t (name)
  join pg_index as o on o.indrelid = format('pgthreads.%s', t.name)::regclass
  join pg_index as n on n.indrelid = format('pgthreads.%s_split', t.name)::regclass
    and regexp_replace(pg_get_indexdef(n.indexrelid), ' INDEX .* USING ', ' ')
      = regexp_replace(pg_get_indexdef(o.indexrelid), ' INDEX .* USING ', ' ');
  create temporary table referring on commit drop as
  select c.conrelid::regclass::text as relation, c.conname as name,
    pg_get_constraintdef(c.oid) as definition
  from pg_constraint as c
  where c.contype = 'f'
    and c.conrelid in ('pgthreads.message'::regclass, 'pgthreads.turn'::regclass)
    and c.conparentid = 0;

  for v_found in
    select c.oid::regclass as view
    from pg_class as c
    where c.relnamespace = 'pgthreads'::regnamespace and c.relkind = 'v'
  loop
    execute format('drop view %s cascade', v_found.view);
  end loop;
  drop table pgthreads.message, pgthreads.turn, pgthreads.thread;
  foreach v_table in array v_tables loop
    execute format('alter table pgthreads.%1$s_split rename to %1$s', v_table);
  end loop;
  for v_found in select r.index, r.name from renamed as r loop
    execute format('alter index %s rename to %I', v_found.index, v_found.name);
  end loop;
  for v_found in select r.relation, r.name, r.definition from referring as r loop
    execute format('alter table %s add constraint %I %s',
      v_found.relation, v_found.name, v_found.definition);
  end loop;
end;
$$;

analyze pgthreads.thread, pgthreads.message, pgthreads.turn;
