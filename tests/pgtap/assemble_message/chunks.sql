-- It makes the same message from each chunk as the AI SDK. For whole streams,
-- tests/server/test_journal.py compares it with the SDK and with the server.
begin;
\ir ../empty.psql
select plan(36);

create temp table stream on commit drop as
select * from (values
  ('nothing', array[]::text[], null),
  ('only steps', array['{"type":"start","messageId":"m"}', '{"type":"start-step"}'], null),
  ('a text', array['{"type":"text-start","id":"0"}', '{"type":"text-delta","id":"0","delta":"a"}',
    '{"type":"text-delta","id":"0","delta":"b"}', '{"type":"text-end","id":"0"}'],
    '[{"type":"text","text":"ab"}]'),
  ('a text that has only begun', array['{"type":"text-start","id":"0"}'],
    '[{"type":"text","text":""}]'),
  ('a delta of no text', array['{"type":"text-delta","id":"0","delta":"a"}'], null),
  ('two texts of one id', array['{"type":"text-start","id":"0"}',
    '{"type":"text-delta","id":"0","delta":"a"}', '{"type":"text-end","id":"0"}',
    '{"type":"text-start","id":"0"}', '{"type":"text-delta","id":"0","delta":"b"}'],
    '[{"type":"text","text":"a"},{"type":"text","text":"b"}]'),
  ('texts that overlap', array['{"type":"text-start","id":"0"}', '{"type":"text-start","id":"1"}',
    '{"type":"text-delta","id":"0","delta":"a"}', '{"type":"text-delta","id":"1","delta":"b"}',
    '{"type":"text-delta","id":"0","delta":"c"}'],
    '[{"type":"text","text":"ac"},{"type":"text","text":"b"}]'),
  ('reasoning and text of one id', array['{"type":"reasoning-start","id":"0"}',
    '{"type":"text-start","id":"0"}', '{"type":"text-delta","id":"0","delta":"a"}',
    '{"type":"reasoning-delta","id":"0","delta":"b"}'],
    '[{"type":"reasoning","id":"0","text":"b"},{"type":"text","text":"a"}]'),
  ('the latest provider metadata',
    array['{"type":"reasoning-start","id":"0","providerMetadata":{"p":{"n":1}}}',
    '{"type":"reasoning-delta","id":"0","delta":"a"}',
    '{"type":"reasoning-end","id":"0","providerMetadata":{"p":{"n":2}}}'],
    '[{"type":"reasoning","id":"0","text":"a","providerMetadata":{"p":{"n":2}}}]'),
  ('steps', array['{"type":"start-step"}', '{"type":"text-start","id":"0"}',
    '{"type":"text-end","id":"0"}', '{"type":"finish-step"}', '{"type":"start-step"}'],
    '[{"type":"step-start"},{"type":"text","text":""},{"type":"step-start"}]'),
  ('an open call', array['{"type":"tool-input-start","toolCallId":"c","toolName":"n",'
    '"dynamic":true}',
    '{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":{"a":null},'
    '"dynamic":true}'],
    '[{"type":"dynamic-tool","toolName":"n","toolCallId":"c","state":"output-error",'
    '"input":{"a":null},'
    '"errorText":"The answer was abandoned before the tool returned a result."}]'),
  ('a call whose input did not arrive',
    array['{"type":"tool-input-start","toolCallId":"c","toolName":"n"}',
    '{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{\"a"}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-error","input":"{\"a",'
    '"errorText":"The answer was abandoned before the tool returned a result."}]'),
  ('a call whose input did not begin',
    array['{"type":"tool-input-start","toolCallId":"c","toolName":"n"}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-error",'
    '"errorText":"The answer was abandoned before the tool returned a result."}]'),
  ('a call whose input arrived in pieces and then whole',
    array['{"type":"tool-input-start","toolCallId":"c","toolName":"n"}',
    '{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{\"a"}',
    '{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"\":1}"}',
    '{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":{"a":1}}',
    '{"type":"tool-output-available","toolCallId":"c","output":2}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-available","input":{"a":1},"output":2}]'),
  ('a call that nobody has approved',
    array['{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1}',
    '{"type":"tool-approval-request","approvalId":"p","toolCallId":"c"}',
    '{"type":"tool-approval-request","approvalId":"q","toolCallId":"d"}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-denied","input":1,'
    '"approval":{"id":"p","approved":false}}]'),
  ('a call that was denied', array[
    '{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1,"dynamic":true}',
    '{"type":"tool-approval-request","approvalId":"p","toolCallId":"c"}',
    '{"type":"tool-output-denied","toolCallId":"c"}'],
    '[{"type":"dynamic-tool","toolName":"n","toolCallId":"c","state":"output-denied","input":1,'
    '"approval":{"id":"p","approved":false}}]'),
  ('a call that ran after it had waited',
    array['{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1}',
    '{"type":"tool-approval-request","approvalId":"p","toolCallId":"c"}',
    '{"type":"tool-output-available","toolCallId":"c","output":2}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-available","input":1,"output":2}]'),
  ('an approval that names no id',
    array['{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1}',
    '{"type":"tool-approval-request","toolCallId":"c"}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-error","input":1,'
    '"errorText":"The answer was abandoned before the tool returned a result."}]'),
  ('pieces of the input of no call',
    array['{"type":"tool-input-delta","toolCallId":"c","inputTextDelta":"{"}'], null),
  ('an answered call', array['{"type":"tool-input-available","toolCallId":"c","toolName":"n",'
    '"input":1,"providerExecuted":true,"providerMetadata":{"p":{}}}',
    '{"type":"tool-output-available","toolCallId":"c","output":null}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-available","input":1,"output":null,'
    '"providerExecuted":true,"callProviderMetadata":{"p":{}}}]'),
  ('a failed call', array['{"type":"tool-input-available","toolCallId":"c","toolName":"n",'
    '"input":1}',
    '{"type":"tool-output-error","toolCallId":"c","errorText":"no"}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-error","input":1,"errorText":"no"}]'),
  ('a call with a bad input', array['{"type":"tool-input-start","toolCallId":"c","toolName":"n",'
    '"dynamic":true}',
    '{"type":"tool-input-error","toolCallId":"c","toolName":"n","input":"?","errorText":"bad",'
    '"dynamic":true}'],
    '[{"type":"dynamic-tool","toolName":"n","toolCallId":"c","state":"output-error","input":"?",'
    '"errorText":"bad"}]'),
  ('a preliminary output and the last one',
    array['{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1}',
    '{"type":"tool-output-available","toolCallId":"c","output":1,"preliminary":true}',
    '{"type":"tool-output-available","toolCallId":"c","output":2}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-available","input":1,"output":2}]'),
  ('a call that has shown its progress only',
    array['{"type":"tool-input-available","toolCallId":"c","toolName":"n","input":1}',
    '{"type":"tool-output-available","toolCallId":"c","output":1,"preliminary":true}'],
    '[{"type":"tool-n","toolCallId":"c","state":"output-error","input":1,'
    '"errorText":"The answer was abandoned before the tool returned a result."}]'),
  ('metadata of a text, a file and a source',
    array['{"type":"text-start","id":"0"}',
    '{"type":"text-end","id":"0","providerMetadata":{"p":{"n":1}}}',
    '{"type":"file","mediaType":"image/png","url":"data:,","providerMetadata":{"p":{"n":2}}}',
    '{"type":"source-url","sourceId":"s","url":"u","providerMetadata":{"p":{"n":3}}}'],
    '[{"type":"text","text":"","providerMetadata":{"p":{"n":1}}},'
    '{"type":"file","mediaType":"image/png","url":"data:,","providerMetadata":{"p":{"n":2}}},'
    '{"type":"source-url","sourceId":"s","url":"u","providerMetadata":{"p":{"n":3}}}]'),
  ('a result of no call', array['{"type":"tool-output-available","toolCallId":"c","output":1}'],
    null),
  ('files and sources', array['{"type":"file","mediaType":"image/png","url":"https://e.x/a.png"}',
    '{"type":"source-url","sourceId":"s","url":"https://e.x","title":"t"}',
    '{"type":"source-document","sourceId":"d","mediaType":"text/plain","title":"t",'
    '"filename":"f"}'],
    '[{"type":"file","mediaType":"image/png","url":"https://e.x/a.png"},{"type":"source-url",'
    '"sourceId":"s","url":"https://e.x","title":"t"},{"type":"source-document","sourceId":"d",'
    '"mediaType":"text/plain","title":"t","filename":"f"}]'),
  ('data, some of it sent again', array['{"type":"data-w","id":"1","data":{"n":1}}',
    '{"type":"data-w","data":2}',
    '{"type":"data-w","data":3}', '{"type":"data-v","id":"1","data":4}',
      '{"type":"data-w","id":"1","data":5}',
    '{"type":"data-status","data":6,"transient":true}'],
    '[{"type":"data-w","id":"1","data":5},{"type":"data-w","data":2},{"type":"data-w","data":3},'
    '{"type":"data-v","id":"1","data":4}]'),
  ('what came before an error', array['{"type":"text-start","id":"0"}',
    '{"type":"error","errorText":"no"}',
    '{"type":"text-delta","id":"0","delta":"a"}'],
    '[{"type":"text","text":""}]'),
  ('what no message has', array['{"type":"text-start","id":"0"}', '{"type":"abort"}',
    '{"type":"finish"}', '{"type":"later"}'],
    '[{"type":"text","text":""}]'),
  ('characters that jsonb refuses', array['{"type":"text-start","id":"0"}',
    '{"type":"text-delta","id":"0","delta":"a\u0000\ud800"}'],
    '[{"type":"text","text":"a��"}]')
) as v (name, chunks, parts);

select is(
  pgthreads.assemble_message((
    select string_agg('data: ' || c || E'\n\n', '' order by n)
    from unnest(s.chunks) with ordinality as u (c, n)
  )),
  case
    when s.parts is not null then jsonb_build_object(
      'role', 'assistant', 'parts', s.parts::jsonb, 'metadata', '{"status": "abandoned"}'::jsonb)
  end,
  s.name
)
from stream as s;

select is(
  pgthreads.assemble_message(
    E': keep-alive\n\ndata: {"type":"start","messageId":"m","messageMetadata":{"a":{"b":1}}}\n\n'
    'data:{"type":"text-start","id":"0"}\n\ndata: {"type":"message-metadata","messageMetadata":'
    '{"a":{"c":2},"status":"stopped"}}\n\ndata: [DONE]\n\n'),
  '{"id": "m", "role": "assistant", "parts": [{"type": "text", "text": ""}],
    "metadata": {"a": {"b": 1, "c": 2}, "status": "abandoned"}}',
  'an id, metadata merged, comments'
);
select is(
  pgthreads.assemble_message(
    E'data: {"type":"text-start","id":"0"}\n\ndata: {"type":"text-delta","id":"0","delta":"a"}\n')
    -> 'parts',
  '[{"type": "text", "text": ""}]', 'a frame without its end is left out'
);
select is(pgthreads.assemble_message(null), null, 'null');
select throws_ok(
  $$ select pgthreads.assemble_message(E'data: {"type"\n\n') $$, '22P02', null,
  'what is no JSON is an error'
);
select ok(
  pgthreads.is_ui_message(pgthreads.assemble_message(
    E'data: {"type":"start","messageId":"m"}\n\ndata: {"type":"tool-input-start","toolCallId":"c",'
      '"toolName":"n"}\n\n')),
  'the result is a UIMessage'
);

select * from finish();
rollback;
