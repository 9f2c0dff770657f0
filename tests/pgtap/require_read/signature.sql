begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'require_read', array['text', 'text', 'integer', 'integer']::name[], 'void', false, 'stable',
  false
);

select * from finish();
rollback;
