begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'write_frames', array['text', 'text', 'text', 'integer', 'text']::name[], 'integer', false,
  'volatile', false
);

select * from finish();
rollback;
