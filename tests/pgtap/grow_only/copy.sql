-- COPY FROM can only add rows. PostgreSQL refuses it under row level security, and a row that a
-- superuser adds without the functions shows.
begin;
select plan(6);
\ir attacks.psql

select test.attack(role, stop, $$ copy pgthreads.message from '/dev/null' $$)
from (values
  ('tap_server', 'a privilege'), ('pgthreads_owner', 'its kind'), (current_user, 'nothing')
) as v (role, stop);

-- Into the view, to which no role may write, and COPY does not either.
select test.attack(role, stop, $$ copy pgthreads.ai_threads from '/dev/null' $$)
from (values ('tap_server', 'a privilege'), (current_user, 'its kind')) as v (role, stop);

select test.attack(
  current_user, 'the chain',
  $$
    copy pgthreads.message (owner_user_id, state_key, seq, message_id, message, digest)
      from program 'echo "alice,k,4,m4,{},x"' with (format csv)
  $$,
  'Message 4 does not fit%'
);

select * from finish();
rollback;
