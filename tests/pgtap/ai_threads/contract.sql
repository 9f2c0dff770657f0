-- The view that everybody may read: these columns, these types, with the reader's own rights.
begin;
select plan(9);
\ir ../helpers.psql

select results_eq(
  $$
    select attname::text collate "default", format_type(atttypid, null)
    from pg_attribute
    where attrelid = 'pgthreads.ai_threads'::regclass and attnum > 0 and not attisdropped
    order by attnum
  $$,
  $$
    values ('id', 'uuid'), ('owner_user_id', 'text'), ('state_key', 'text'), ('messages', 'jsonb'),
      ('metadata', 'jsonb'), ('created_at', 'timestamp with time zone'),
      ('updated_at', 'timestamp with time zone'), ('deleted_at', 'timestamp with time zone')
  $$,
  'its columns'
);
select ok(
  (select 'security_invoker=true' = any (reloptions) from pg_class
    where oid = 'pgthreads.ai_threads'::regclass),
  'it runs with the rights of its reader'
);
select table_privs_are('pgthreads', 'ai_threads', 'pgthreads_server', array['SELECT']);
select table_privs_are('pgthreads', 'ai_threads', 'pgthreads_maintenance', array[]::text[]);
select table_privs_are('pgthreads', 'ai_threads', 'public', array[]::text[]);

set local role tap_server;
select pgthreads.set_tenant('bob') \gset
select pgthreads.append_thread('bob', 'b', test.messages(1, 1)) \g /dev/null
select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', test.messages(1, 12), p_metadata => '{"a": 1}'),
  pgthreads.append_thread('alice', 'e', '[]') \g /dev/null
select results_eq(
  $$ select state_key collate "default", messages, metadata, deleted_at is null
    from pgthreads.ai_threads order by 1 $$,
  $$ values ('e', jsonb '[]', jsonb '{}', true), ('k', test.messages(1, 12), '{"a": 1}', true) $$,
  'the tenant''s threads, each with its messages in order'
);
select is(
  (select messages from pgthreads.ai_threads where state_key = 'k'),
  pgthreads.load_thread('alice', 'k')::jsonb, 'the same that load_thread returns'
);
select results_eq(
  $$ select v.state_key collate "default"
    from pgthreads.set_tenant('bob') as t (owner),
      lateral (select * from pgthreads.ai_threads as a where a.owner_user_id = t.owner) as v $$,
  array['b'], 'one statement sets the tenant and reads'
);
reset role;
set local app.current_user_id = '';
select cmp_ok(
  (select count(*) from pgthreads.ai_threads where state_key in ('b', 'e', 'k')), '=', 3::bigint,
  'a superuser sees all'
);

select * from finish();
rollback;
