begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'fold_sign', array['text']::name[], 'text', false, 'immutable', false
);

select * from finish();
rollback;
