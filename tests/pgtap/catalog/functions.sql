-- The rules that every function of schema pgthreads keeps.
begin;
select plan(12);

create temp view functions as
select p.*, p.oid::regprocedure::text as signature
from pg_proc as p
where p.pronamespace = 'pgthreads'::regnamespace;

select cmp_ok((select count(*) from functions), '>=', 20::bigint, 'there are functions to look at');
select cmp_ok(
  (select count(*) from functions where prosecdef), '>=', 10::bigint,
  'there are definer functions to look at'
);
select is_empty(
  $$
    select signature, proconfig
    from functions
    where prosecdef
      and array(select c from unnest(proconfig) as c where c like 'search_path=%')
        is distinct from array['search_path=pg_catalog, pg_temp']
  $$,
  'every definer function pins search_path to pg_catalog, pg_temp'
);
select is_empty(
  $$
    select signature, proconfig
    from functions
    where proconfig::text like '%search_path%'
      and not 'search_path=pg_catalog, pg_temp' = any (proconfig)
  $$,
  'no function pins another search_path'
);
select is_empty(
  $$
    select signature
    from functions as f
    where exists (
      select
      from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as a
      where a.grantee = 0
    )
  $$,
  'public may execute none'
);
select is_empty(
  $$
    select f.signature, a.grantee::regrole
    from functions as f, aclexplode(f.proacl) as a
    where a.grantee <> 0
      and a.grantee::regrole::text
        not in ('pgthreads_owner', 'pgthreads_server', 'pgthreads_maintenance')
  $$,
  'only our own roles may execute any'
);
select is_empty(
  $$
    select f.signature, a.grantee::regrole
    from functions as f, aclexplode(f.proacl) as a
    where a.is_grantable and a.grantee <> f.proowner
  $$,
  'nobody may pass a right to execute on'
);
select is_empty(
  $$
    select signature
    from functions
    where coalesce(btrim(obj_description(oid, 'pg_proc')), '') = ''
  $$,
  'every function has a comment'
);
select is_empty(
  $$
    select signature, proowner::regrole
    from functions
    where proowner::regrole::text not in ('pgthreads_owner', 'pgthreads_maintenance')
  $$,
  'every function belongs to pgthreads_owner or pgthreads_maintenance'
);
select is_empty(
  $$
    select f.signature, a.name
    from functions as f
    cross join lateral unnest(f.proargnames, f.proargmodes) as a (name, mode)
    where coalesce(a.mode, 'i') in ('i', 'b', 'v') and a.name !~ '^p_[a-z0-9_]+$'
  $$,
  'every parameter is named p_…'
);
select is_empty(
  $$ select signature from functions where cardinality(proargnames) is null and pronargs > 0 $$,
  'every parameter has a name'
);
select set_eq(
  $$ select proname::text from functions where proretset and prorows = 1 $$,
  array[
    'append_thread', 'begin_turn', 'complete_turn', 'extend_turn', 'find_question', 'finish_turn',
    'fold_text', 'joined_screens', 'pause_turn', 'prompt_start', 'purge_turns', 'question_of',
    'read_head', 'read_header', 'read_journal', 'read_open_answer', 'read_share', 'read_thread',
    'read_thread_details', 'respond_turn', 'save_thread', 'share_thread', 'shown_answer',
    'update_thread', 'write_journal'
  ],
  'what returns one row says so, or a join of three is compiled just in time'
);

select * from finish();
rollback;
