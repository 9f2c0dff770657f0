begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'write_messages', array['text', 'text', 'text[]', 'text[]', 'integer', 'bytea', 'integer',
  'text', 'jsonb', 'timestamp with time zone']::name[], 'integer', false, 'volatile', false
);

select * from finish();
rollback;
