-- The story in psql: psql -qX -f story.sql
\set VERBOSITY sqlstate
\pset tuples_only on
\pset format unaligned
\set owner ada

-- A null key creates a new thread; \gset keeps the key that the database has given it.
select a.state_key, length(a.state_key) as key_length, a.message_count
from pgthreads.set_tenant(:'owner') as t(owner), lateral pgthreads.append_thread(t.owner, null,
  '[{"id": "q1", "role": "user",
     "parts": [{"type": "text", "text": "Which mountain is the highest?"}]}]') as a
\gset
\echo created: key of :key_length characters, count :message_count

-- The count that the caller has seen keeps other writers from coming in between.
\set parts '[{"type": "text", "text": "Mount Everest, with 8,849 m."}]'
\set answer '[{"id": "a1", "role": "assistant", "parts": ' :parts '}]'
select a.state_key, a.message_count, a.appended
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.append_thread(t.owner, :'state_key', :'answer', 1) as a
\gset
\echo answered: appended :appended, count :message_count

-- If the answer to that call was lost, send it again: the same ids append nothing.
select a.state_key, a.message_count, a.appended
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.append_thread(t.owner, :'state_key', :'answer', 1) as a
\gset
\echo repeated: appended :appended, count :message_count

-- An outdated count is refused, and the SQLSTATE says so.
\set parts '[{"type": "text", "text": "And the second highest?"}]'
\set question '[{"id": "q2", "role": "user", "parts": ' :parts '}]'
select a.state_key, a.message_count, a.appended
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.append_thread(t.owner, :'state_key', :'question', 1) as a
\gset
\set refusal :SQLSTATE
select :'refusal' = 'THCNT' as is_conflict, json_array_length(l.messages) as message_count
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.load_thread(t.owner, :'state_key') as l(messages)
\gset
\if :is_conflict
  \echo conflict: :refusal, loaded again
  select a.state_key, a.message_count, a.appended
  from pgthreads.set_tenant(:'owner') as t(owner),
    lateral pgthreads.append_thread(t.owner, :'state_key', :'question', :message_count) as a
  \gset
  \echo resolved: appended :appended, count :message_count
\endif

select format('  %s: %s', m.message ->> 'role', m.message -> 'parts' -> 0 ->> 'text')
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.read_messages(t.owner, :'state_key') as m
order by m.seq;

select format('listed: %s (%s)', s.title, s.message_count)
from pgthreads.set_tenant(:'owner') as t(owner), lateral pgthreads.list_threads(t.owner) as s;

select format('deleted: %s', d.deleted::text)
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.soft_delete_thread(t.owner, :'state_key') as d(deleted);

-- Nothing can be appended to a deleted thread.
select a.state_key, a.message_count, a.appended
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.append_thread(t.owner, :'state_key', :'question') as a;
\echo refused: :SQLSTATE, nothing appended

select format('left: %s messages, %s threads', json_array_length(l.messages),
  (select count(*) from pgthreads.list_threads(t.owner)))
from pgthreads.set_tenant(:'owner') as t(owner),
  lateral pgthreads.load_thread(t.owner, :'state_key') as l(messages);
