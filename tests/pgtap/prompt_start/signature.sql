begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'prompt_start', array['text', 'text', 'integer', 'integer', 'bigint']::name[], 'setof integer',
  false, 'stable', false
);

select * from finish();
rollback;
