-- It says in words what is wrong, and returns null for a message that is right.
begin;
select plan(4);
\ir ../helpers.psql

select is(pgthreads.ui_message_fault(f.message), f.fault, coalesce(f.fault, 'a UIMessage'))
from (values
  (test.message('a'), null), ('[]', 'A UIMessage is an object.'),
  (test.message('a') - 'parts', 'parts is not an array.'),
  (test.message(''), 'id is not a string of 1 to 256 characters.')
) as f (message, fault);

select * from finish();
rollback;
