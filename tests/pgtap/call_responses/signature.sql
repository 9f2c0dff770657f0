begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'call_responses', array['text', 'text', 'text', 'jsonb']::name[],
  'jsonb', false, 'stable', false
);

select * from finish();
rollback;
