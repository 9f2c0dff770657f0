-- What belongs to the application or to a model's provider is not in a shared message.
begin;
select plan(5);
\ir ../helpers.psql

select is(
  pgthreads.shared_message('{"id": "a", "role": "assistant", "metadata": {"user": "u", "status":
    "stopped"}, "parts": [{"type": "reasoning", "text": "so", "providerMetadata": {"x": "secret"}},
    {"type": "tool-f", "toolCallId": "c", "state": "output-available", "input": {"a": 1},
      "output": 2, "callProviderMetadata": {"x": 1}, "resultProviderMetadata": {"x": 1}}]}'),
  '{"id": "a", "role": "assistant", "metadata": {"status": "stopped"}, "parts": [{"type":
    "reasoning", "text": "so"}, {"type": "tool-f", "toolCallId": "c", "state": "output-available",
    "input": {"a": 1}, "output": 2}]}',
  'metadata goes, its status and what was said stay'
);
select is(
  pgthreads.shared_message(test.message('m') || '{"metadata": {"user": "u"}}'), test.message('m'),
  'metadata without a status'
);
select is(
  pgthreads.shared_message(test.message('m') || '{"metadata": 7}'), test.message('m'),
  'metadata that is no object'
);
select is(pgthreads.shared_message(test.message('m')), test.message('m'), 'a plain message');
select is(
  pgthreads.shared_message('{"id": "a", "role": "user", "parts": []}'),
  '{"id": "a", "role": "user", "parts": []}', 'a message without parts'
);

select * from finish();
rollback;
