-- A thread that is removed for good takes its words along, and no others.
begin;
select plan(4);
\ir ../helpers.psql

select test.appends('ann', 'k', test.message('1', 'Baking'));
select test.appends('ann', 'l', test.message('1', 'Rye', 'assistant'));
select test.appends('bob', 'k', test.message('1', 'Ovens', 'assistant'));
select is(
  (
    select d.deleted
    from pgthreads.set_tenant('ann') as t (owner),
      lateral pgthreads.soft_delete_thread(t.owner, 'k') as d (deleted)
  ),
  true, 'a thread is deleted'
);
select alike(test.words('ann'), 'k0: %', 'which keeps its words until it is purged');
update pgthreads.thread as t set deleted_at = now() - interval '100 days'
where t.owner_user_id = 'ann' and t.state_key = 'k';
select pgthreads.purge_threads('90 days') \g /dev/null
select is(test.words('ann'), 'l1: ''rye'':1C', 'a purged one keeps none');
select pgthreads.erase_owner('ann') \g /dev/null
select is(
  concat_ws('/', test.words('ann'), test.words('bob')), 'k1: ''oven'':1C',
  'an erased owner leaves none, and others keep theirs'
);

select * from finish();
rollback;
