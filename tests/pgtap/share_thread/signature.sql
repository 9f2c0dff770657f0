begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'share_thread', array['text', 'text', 'interval', 'text', 'text']::name[], 'setof record',
    true, 'volatile', true
);

select * from finish();
rollback;
