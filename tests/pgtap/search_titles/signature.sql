begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'search_titles', array['text', 'text', 'integer', 'integer']::name[], 'setof record', true,
    'stable', true
);

select * from finish();
rollback;
