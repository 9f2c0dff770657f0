begin;
select plan(5);
\ir ../helpers.psql

select test.declared(
  'message_words', array['regconfig', 'json']::name[], 'tsvector', false, 'immutable', false
);

select * from finish();
rollback;
