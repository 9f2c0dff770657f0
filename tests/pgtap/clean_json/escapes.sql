-- U+0000 and lone surrogates become U+FFFD, everything else stays as it was.
begin;
select plan(31);
\ir ../helpers.psql

set local role tap_server;
select is(pgthreads.clean_json(v.dirty), v.clean::jsonb, v.dirty)
from (values
  (1, '"plain"', '"plain"'),
  (2, '"\u0041\u00e9\u0001"', '"A\u00e9\u0001"'),
  (3, '"\u0000"', '"\ufffd"'),
  (4, '"a\u0000b\u0000\u0000c"', '"a\ufffdb\ufffd\ufffdc"'),
  (5, '"\ud83d\ude00"', '"😀"'),
  (6, '"\uD83D\uDE00"', '"😀"'),
  (7, '"\uD83d\ude00\ud83d\udE00"', '"😀😀"'),
  (8, '"\ud83d"', '"\ufffd"'),
  (9, '"\ude00"', '"\ufffd"'),
  (10, '"\ude00\ud83d"', '"\ufffd\ufffd"'),
  (11, '"\ud83d\ud83d\ude00"', '"\ufffd😀"'),
  (12, '"\ud83d\ude00\ude00"', '"😀\ufffd"'),
  (13, '"\ud83dx\ude00"', '"\ufffdx\ufffd"'),
  (14, '"\ud83d\n\ude00"', '"\ufffd\n\ufffd"'),
  (15, '"\ud83d\u0041"', '"\ufffdA"'),
  (16, '"\ud83d\u0000"', '"\ufffd\ufffd"'),
  (17, '"\ud800\udbff\udc00\udfff"', '"\ufffd\udbff\udc00\ufffd"'),
  (18, '"\\u0000"', '"\\u0000"'),
  (19, '"\\ud83d"', '"\\ud83d"'),
  (20, '"\\\u0000"', '"\\\ufffd"'),
  (21, '"\\\\u0000"', '"\\\\u0000"'),
  (22, '"\ud83d\\ude00"', '"\ufffd\\ude00"'),
  (23, '"\"\u0000\""', '"\"\ufffd\""'),
  (24, '{"\u0000": {"\ud83d": ["\ude00"]}}', '{"\ufffd": {"\ufffd": ["\ufffd"]}}'),
  (25, '{"\u0000": 1, "\ud83d": 2}', '{"\ufffd": 2}'),
  (26, '[1.50, null, true]', '[1.50, null, true]')
) as v (place, dirty, clean)
order by v.place;
select is(pgthreads.clean_json(null), null, 'null stays null');
select throws_ok(format('select pgthreads.clean_json(%L)', v.text), '22P02', null, 'not JSON: '
  || v.text)
from (values ('{"a": \u0000}'), ('"\u00"'), ('"\u0000')) as v (text);
select is(
  char_length(pgthreads.clean_json('"' || repeat('\u0000\ud83d\ude00\\', 50000) || '"') #>> '{}'),
  150000, '1 MB of them is read in passing'
);

select * from finish();
rollback;
