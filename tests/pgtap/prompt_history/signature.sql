begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'prompt_history', array['text', 'text', 'integer', 'integer', 'bigint']::name[], 'json',
  false, 'stable', false
);

select * from finish();
rollback;
