begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'json_hint', array['jsonb', 'text', 'text']::name[], 'text', false, 'immutable', false
);

select * from finish();
rollback;
