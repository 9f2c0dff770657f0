-- A message knows how long it is, so that whoever fits messages into a budget of bytes need not
-- decompress each of them. Null in messages that are older than this column, which are decompressed
-- as before.
--
-- end_turn gets one more parameter, so it is dropped here and made again in the same transaction.
-- squawk-ignore-file ban-drop-function, prefer-bigint-over-int

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.message add column bytes int;

comment on column pgthreads.message.bytes is
  'Bytes of the UIMessage as text. Null in messages that are older than this column.';

drop function if exists pgthreads.end_turn(text, text, text, text, jsonb, text, int);
