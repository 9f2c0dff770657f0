begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'shown_parent', array['text', 'text', 'text', 'text', 'text', 'integer']::name[], 'text', false,
    'stable', false
);

select * from finish();
rollback;
