-- A function in SQL that the planner does not put in the place of its call is parsed and planned in
-- every statement that calls it, at twenty times the cost of its expression.
begin;
select plan(2);
\ir ../helpers.psql

create temp table expressions as
select p.oid::regprocedure::text as signature, p.proname as name,
  format(
    'explain (verbose) select pgthreads.%I(%s) from (select %s offset 0) as a',
    p.proname,
    (
      select string_agg(format('a.a%s', t.place), ', ' order by t.place)
      from unnest(p.proargtypes) with ordinality as t (type, place)
    ),
    (
      select string_agg(
        format('null::%s as a%s', format_type(t.type, null), t.place), ', ' order by t.place)
      from unnest(p.proargtypes) with ordinality as t (type, place)
    )
  ) as statement
from pg_proc as p
join pg_language as l on l.oid = p.prolang
where p.pronamespace = 'pgthreads'::regnamespace
  and l.lanname = 'sql'
  and p.proconfig is null
  and not p.proretset
  and not p.prosecdef
  and p.pronargs > 0;

create function pg_temp.is_called(p_name name, p_statement text)
returns boolean
language plpgsql
as $$
declare
  v_line text;
begin
  for v_line in execute p_statement loop
    if strpos(v_line, format('%s(', p_name)) > 0 then
      return true;
    end if;
  end loop;
  return false;
end;
$$;

select cmp_ok(
  (select count(*) from expressions), '>=', 8::bigint, 'there are expressions to look at');
select is_empty(
  $$ select e.signature from expressions as e where pg_temp.is_called(e.name, e.statement) $$,
  'the planner puts each of them in the place of its call'
);

select * from finish();
rollback;
