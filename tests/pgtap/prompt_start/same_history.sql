-- The usual case has the same history as the general one, which messages without bytes go to.
begin;
select plan(5);
\ir ../operators.psql

create function test.histories(p_key text)
returns text
language sql
as $$
  select string_agg(concat_ws(' ', l.last, l.bytes, h.ids), E'\n' order by l.last, l.bytes)
  from (values (null), (1), (2), (3), (4), (5), (7), (8), (9), (100)) as n (last)
  cross join (values (1), (300), (760), (1500), (1000000)) as b (bytes)
  cross join lateral (select n.last, b.bytes) as l
  cross join lateral (
    select string_agg(e ->> 'id', ' ') as ids
    from json_array_elements(
      pgthreads.prompt_history('alice', p_key, 8, l.last, l.bytes)) as e
  ) as h;
$$;

select pgthreads.set_tenant('alice') \gset
select pgthreads.append_thread('alice', 'k', (
  select jsonb_agg(test.message(
    r || n, repeat(md5(n::text), 5), case r when 'u' then 'user' else 'assistant' end) order by n)
  from unnest(string_to_array('uauaauaa', null)) with ordinality as x (r, n))) \g /dev/null

select results_eq(
  $$ select s.seq from pgthreads.prompt_start('alice', 'k', 5, 8, 1000000) as s $$, array[6],
  'a window that would begin with an answer begins with the next question'
);
select is_empty(
  $$ select from pgthreads.prompt_start('alice', 'k', 5, 8, 500) $$,
  'it says nothing of what does not fit');
select test.histories('k') as usual \gset
alter table pgthreads.message disable trigger all;
alter table pgthreads.message no force row level security;
update pgthreads.message set bytes = null where state_key = 'k' and seq = 8;
alter table pgthreads.message force row level security;
select is_empty(
  $$ select from pgthreads.prompt_start('alice', 'k', 5, 8, 1000000) $$,
  'it says nothing of messages that do not know their bytes'
);
select is(test.histories('k'), :'usual', 'the history is the same for any window and any budget');

select pgthreads.append_thread('alice', 'k', jsonb_build_array(test.message('b')),
  p_parent_id => 'u1') \g /dev/null
select is_empty(
  $$ select from pgthreads.prompt_start('alice', 'k', 9, 9, 1000000) $$,
  'it says nothing of a thread with branches'
);

select * from finish();
rollback;
