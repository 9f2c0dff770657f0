-- Weighed by role, in the language that is given.
begin;
select plan(5);
\ir ../helpers.psql

select is(
  pgthreads.message_words('english', test.message('1', 'Baking breads')::json),
  '''bake'':1B ''bread'':2B', 'a user''s words'
);
select is(
  pgthreads.message_words('english', test.message('1', 'Baking breads', 'assistant')::json),
  '''bake'':1C ''bread'':2C', 'an answer''s weigh less'
);
select is(
  pgthreads.message_words('english', test.message('1', 'Baking', 'system')::json), null,
  'none of a system message'
);
select is(
  pgthreads.message_words('simple', test.message('1', 'Baking breads')::json),
  '''baking'':1B ''breads'':2B', 'another language'
);
select is(
  pgthreads.message_words('english', '{"role": "user", "parts": []}'), null,
  'none without a text'
);

select * from finish();
rollback;
