begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'window_ranges', array['text', 'text', 'integer', 'integer', 'integer', 'bigint']::name[],
    'setof record',
  false, 'stable', false
);

select * from finish();
rollback;
