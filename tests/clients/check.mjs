// Answers questions about streams and messages with the real AI SDK.
// One JSON object a line on stdin, one on stdout, in order:
//   {op: "assemble", version, streams: [sse text], split?: bytes}
//     -> {results: [{message, status, errors, data, finish}]}
//   {op: "continue", version, messages, responses: [{id, approved, reason?} | {tool, toolCallId,
//    output} | {tool, toolCallId, state: "output-error", errorText}], stream: sse text}
//     -> {results: [that of assemble, for the answer at the end of the messages]}
//   {op: "validate", version, threads: [UIMessage[]]}
//     -> {results: [{valid, error?, modelMessages?}]}

import { createInterface } from 'node:readline';
import { createChat, load } from './sdk.mjs';

function response(sse, split) {
  const bytes = new TextEncoder().encode(sse);
  const size = split || bytes.length || 1;
  let at = 0;
  const stream = new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.subarray(at, (at += size)));
    },
  });
  return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
}

function chatOn(sdk, sse, split, messages) {
  return createChat(sdk, {
    api: 'http://127.0.0.1/chat',
    chatId: 'check',
    messages,
    fetch: async () => response(sse, split),
  });
}

async function assemble(sdk, sse, split) {
  const { chat, events } = chatOn(sdk, sse, split);
  await chat.sendMessage({ text: 'question' });
  return seen(chat, events);
}

async function goOn(sdk, { messages, responses, stream }) {
  const { chat, events } = chatOn(sdk, stream, 0, messages);
  for (const each of responses) {
    await (each.toolCallId ? chat.addToolOutput(each) : chat.addToolApprovalResponse(each));
  }
  await chat.sendMessage();
  return seen(chat, events);
}

function seen(chat, events) {
  const last = chat.lastMessage;
  return {
    message: last.role === 'assistant' ? last : null,
    status: chat.status,
    errors: events.errors,
    data: events.data,
    finish: events.finishes.at(-1) ?? null,
  };
}

async function validate(sdk, messages) {
  const checked = await sdk.safeValidateUIMessages({ messages });
  if (!checked.success) return { valid: false, error: checked.error.message };
  try {
    return { valid: true, modelMessages: await sdk.convertToModelMessages(checked.data) };
  } catch (error) {
    return { valid: true, error: error.message };
  }
}

const operations = {
  assemble: (sdk, { streams, split }) => Promise.all(streams.map(sse => assemble(sdk, sse, split))),
  continue: async (sdk, request) => [await goOn(sdk, request)],
  validate: (sdk, { threads }) => Promise.all(threads.map(messages => validate(sdk, messages))),
};

// stdout carries answers only; the SDK's own warnings go to stderr.
console.log = console.info = console.warn;

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const request = JSON.parse(line);
    const sdk = await load(request.version);
    answer = { results: await operations[request.op](sdk, request) };
  } catch (error) {
    answer = { failure: String(error.stack ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
