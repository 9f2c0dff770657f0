-- begin_turn gets parameters with defaults: what the page shows before its question, and what to do
-- when that is not where the thread ends. It is dropped here and comes again in the same transaction;
-- calls of old clients mean what they meant.
-- squawk-ignore-file ban-drop-function

set local lock_timeout = '10s';
set local statement_timeout = '10min';

drop function if exists pgthreads.begin_turn(
  text, text, jsonb, text, int, jsonb, text, boolean, text);
