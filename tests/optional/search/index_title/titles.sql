-- A title's words are kept under seq 0, and follow the title.
begin;
select plan(5);
\ir ../helpers.psql

create function test.renames(p_key text, p_title text)
returns text
language sql
as $$
  select u.title
  from pgthreads.set_tenant('ann') as t (owner),
    lateral pgthreads.update_thread(t.owner, p_key, p_title) as u
$$;

set local role tap_server;
select test.appends('ann', 'k', test.message('1', 'the loaf', 'assistant'));
select is(test.words('ann'), 'k1: ''loaf'':2C', 'no words while a thread has no title');
select test.renames('k', 'Baking breads');
select is(
  test.words('ann'), E'k0: ''bake'':1A ''bread'':2A\nk1: ''loaf'':2C', 'the words of a title'
);
select test.renames('k', 'Rye');
select is(test.words('ann'), E'k0: ''rye'':1A\nk1: ''loaf'':2C', 'those of the next one instead');
select test.renames('k', '');
select is(test.words('ann'), 'k1: ''loaf'':2C', 'none when the title is gone');
select test.appends('ann', 'l', test.message('1', 'Ovens'));
select alike(
  test.words('ann'), E'%l0: ''oven'':1A\nl1: ''oven'':1B', 'a title that comes with the thread'
);

select * from finish();
rollback;
