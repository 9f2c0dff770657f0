begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'request_stop', array['text', 'text']::name[], 'text', true, 'volatile', true
);

select * from finish();
rollback;
