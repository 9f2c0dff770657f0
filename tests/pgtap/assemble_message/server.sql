-- In a session of its own, because what a superuser has called before is not checked again.
begin;
select plan(1);
\ir ../helpers.psql

set local role tap_server;
select is(
  pgthreads.assemble_message(
    E'data: {"type":"start","messageId":"m"}\n\ndata: {"type":"text-start","id":"0"}\n\n'),
  '{"id": "m", "role": "assistant", "parts": [{"type": "text", "text": ""}],
    "metadata": {"status": "abandoned"}}',
  'a server may ask for a message'
);

select * from finish();
rollback;
