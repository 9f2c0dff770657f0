-- So many lists and objects are refused before PostgreSQL makes a jsonb of them, which takes 260
-- bytes for each. Brackets in strings are text.
begin;
select plan(6);
\ir ../helpers.psql

set local role tap_server;
select test.refuses(
  format('select pgthreads.clean_json(%L || repeat(%L, 100000) || %L)', v.front, v.unit, v.back),
  'THMAX', 'More than 100000 are not parsed.', null,
  format('100,000 of %s in a list', v.unit)
)
from (values ('[', '[],', '1]'), ('[', '{},', '1]'), ('["\\\"[",', '["\\"],', '1]'))
  as v (front, unit, back);
select is(
  jsonb_array_length(pgthreads.clean_json('[' || repeat('{},', 99999) || '1]')), 100000,
  'a list of 99,999 is parsed'
);
select is(
  char_length(pgthreads.clean_json('["' || repeat('[{\"', 100000) || '\\"]') ->> 0), 300001,
  'brackets and quotes in a string do not count'
);
select is(
  char_length(pgthreads.clean_json('"' || repeat('\\[', 200000) || '"') #>> '{}'), 400000,
  'nor do they behind backslashes'
);

select * from finish();
rollback;
