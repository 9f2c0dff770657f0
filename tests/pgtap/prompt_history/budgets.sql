-- The history of a turn has as many of the newest messages as fit into the window and the budget,
-- beginning with a user's message, and always the question.
begin;
select plan(12);
\ir ../operators.psql

create function test.history(p_key text, p_last int, p_bytes int default null,
  p_ask text default 'q')
returns text language plpgsql as $$
declare
  v_ids text;
begin
  update pgthreads.config set max_prompt_bytes = coalesce(p_bytes, 4194304);
  select string_agg(e ->> 'id', ' ') into v_ids
  from pgthreads.begin_turn('alice', p_key, test.message(p_ask), p_ask, p_last) as b
  cross join json_array_elements(b.history) as e;
  perform pgthreads.finish_turn('alice', p_key, p_ask, 'stopped');
  return v_ids;
end;
$$;
create function test.make(p_key text, p_roles text) returns void language sql as $$
  select pgthreads.append_thread('alice', p_key, (
    select jsonb_agg(test.message(r || n, repeat(md5(n::text), 30), case r when 'u' then 'user'
      else 'assistant' end)
      order by n)
    from unnest(string_to_array(p_roles, null)) with ordinality as x (r, n)));
$$;
select pgthreads.set_tenant('alice') \gset
select test.make('k' || n, 'uauaauaa') from generate_series(1, 6) as n \g /dev/null
select is(test.history('k1', 100), 'u1 a2 u3 a4 a5 u6 a7 a8 q', 'all of it');
select is(test.history('k2', 5), 'u6 a7 a8 q', 'a window that would begin with an answer');
select is(test.history('k3', 7), 'u3 a4 a5 u6 a7 a8 q', 'one that begins with a question');
select is(test.history('k4', 3), 'q', 'one of answers alone');
select is(test.history('k5', 100, 5000), 'u6 a7 a8 q', 'the budget in bytes');
select is(test.history('k6', 100, 1), 'q', 'the question in any case');
select test.make('answers', 'aa') \g /dev/null
select is(test.history('answers', 100), 'a1 a2 q',
  'what begins with an answer stays, if nothing is cut');
select is(
  (
    select string_agg(e ->> 'id', ' ')
    from json_array_elements(pgthreads.prompt_history('alice', 'answers', 2, 1, 100000)) as e
  ),
  'a2', 'where there is no user''s message it begins as it can'
);
select is(
  (select history is not null from pgthreads.begin_turn('alice', 'k1', test.message('w'), 'w', 2)),
    true,
  'a turn begins'
);
select is(
  (
    select string_agg(e ->> 'id', ' ')
    from pgthreads.begin_turn('alice', 'k1', test.message('w'), 'w', 2) as b
    cross join json_array_elements(b.history) as e
  ),
  'q w', 'and begins again with the same history'
);
select pgthreads.finish_turn('alice', 'k1', 'w', 'stopped') \g /dev/null

-- A branch: another question in place of u6.
select is(
  (
    select string_agg(left(e ->> 'id', 3), ' ')
    from pgthreads.begin_turn('alice', 'k2', test.message('x'), 'x', 100, p_replaces => 'u6') as b
    cross join json_array_elements(b.history) as e
  ),
  'u1 a2 u3 a4 a5 u6~', 'over a branch'
);
select pgthreads.finish_turn('alice', 'k2', 'x', 'stopped') \g /dev/null
update pgthreads.config set max_prompt_bytes = 3800;
select is(
  (
    select string_agg(left(e ->> 'id', 3), ' ')
    from pgthreads.begin_turn('alice', 'k2', test.message('y'), 'y', 100) as b
    cross join json_array_elements(b.history) as e
  ),
  'u3 a4 a5 u6~ y', 'and its budget'
);

select * from finish();
rollback;
