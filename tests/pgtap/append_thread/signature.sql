begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'append_thread', array['text', 'text', 'jsonb', 'integer', 'text', 'jsonb', 'text']::name[],
    'setof record', true, 'volatile', true
);

select * from finish();
rollback;
