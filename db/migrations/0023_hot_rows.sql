-- What every append and every turn pays for at the tables.
--
-- The check of a state key had a counted repetition. Its automaton was built anew at each write of a
-- thread's row, at the cost of an insert into an index. The check says the same in other words.
--
-- Messages are stored in their table as long as they fit into a page after compression. Otherwise
-- the larger half of them goes to the table for long values, with a second index and more WAL for
-- each. Storage is that of new messages; those that are stored stay where they are. It has to be
-- said of all columns: PostgreSQL moves short ones out of line before a body that must stay.

-- squawk-ignore-file ban-drop-constraint, constraint-missing-not-valid

set local lock_timeout = '10s';
set local statement_timeout = '10min';

alter table pgthreads.thread drop constraint thread_state_key_check;
alter table pgthreads.thread add constraint thread_state_key_check
  check (octet_length(state_key) between 1 and 128 and state_key !~ '[^a-zA-Z0-9_-]') not valid;
alter table pgthreads.thread validate constraint thread_state_key_check;

alter table pgthreads.message
  alter column owner_user_id set storage main,
  alter column state_key set storage main,
  alter column message_id set storage main,
  alter column message set storage main,
  alter column digest set storage main;
