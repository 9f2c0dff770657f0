begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'respond_turn', array['text', 'text', 'text', 'jsonb', 'text', 'integer']::name[],
  'setof record', true, 'volatile', true
);

select * from finish();
rollback;
