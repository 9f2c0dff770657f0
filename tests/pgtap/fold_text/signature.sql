begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'fold_text', array['text']::name[], 'setof record', false, 'immutable', false
);

select * from finish();
rollback;
