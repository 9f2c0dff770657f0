begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'hide_escapes', array['text']::name[], 'text', false, 'immutable', false
);

select * from finish();
rollback;
