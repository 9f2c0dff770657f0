begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'end_lost_turns', array['text', 'interval']::name[], 'integer', true, 'volatile', true
);

select * from finish();
rollback;
