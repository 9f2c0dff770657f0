// Chats with a running server through the stock DefaultChatTransport, and prints the result.
//
//   node chat.mjs '{"baseUrl": "http://127.0.0.1:8080", "version": 7, "steps": [{"prompt": "hi"}]}'
//
// Options: `baseUrl`, `version` (see sdk.mjs), `token` (bearer), `chatId`, `messages` (what a page
// loaded), `body` (sent with each request, e.g. {"stateKey": ...}), `auto` (send by itself when an
// answer has its tools' results, or with "approvals" when it has its approvals), `steps`. A step is one of
//   {"prompt": text, "messageId"?: id}   a user message; the id is made up unless given
//   {"resume": true}                     what `resume: true` does when a page is opened
//   {"edit": index, "prompt": text}      replaces the text of the message at that index
//   {"regenerate": true}                 regenerates the last answer, or with "index" that message's
//   {"cut": index, "prompt": text}       edits as assistant-ui does: removes the messages from that
//                                        index on, and sends a new one
//   {"respond": [{id, approved, reason?} | {tool, toolCallId, output} | {tool, toolCallId,
//    state: "output-error", errorText}]}  responds to calls, and waits for what `auto` sends then
//   {"send": true}                       sends the messages as they are
// and may have one of these, where n counts changes of the messages (the user message is one):
//   "abortAfter": n                      leaves after n changes
//   "stopAfter": n                       asks the server to stop after n changes
//   "sendAfter": n, "next": text         sends that text after n changes; with "leave": true only
//                                        after chat.stop() and the end of that stream; with
//                                        "again": true it calls regenerate() instead
// With "offline": true the network is away.
//
// Prints one JSON object: {messages, status, errors, data, finishes, responses: [{method, path,
// status, stateKey}]}.

import { createChat, load } from './sdk.mjs';

const options = JSON.parse(process.argv[2]);
const sdk = await load(options.version);
const root = `${options.baseUrl.replace(/\/$/, '')}/api/v1/ai`;
const headers = options.token ? { authorization: `Bearer ${options.token}` } : {};
const responses = [];
let writes = 0;
let onWrite = () => {};
let offline = false;

async function recordingFetch(url, init) {
  if (offline) throw new TypeError('fetch failed');
  if (responses.length > 20) throw new Error('this goes on for ever');
  const response = await fetch(url, init);
  responses.push({
    method: init?.method ?? 'GET',
    path: new URL(url).pathname,
    status: response.status,
    stateKey: response.headers.get('x-state-key'),
  });
  return response;
}

const { chat, events } = createChat(sdk, {
  api: `${root}/chat`,
  chatId: options.chatId,
  messages: options.messages,
  headers,
  body: options.body,
  fetch: recordingFetch,
  onWrite: () => {
    writes += 1;
    onWrite(writes);
  },
});

if (options.auto) {
  chat.sendAutomaticallyWhen =
    options.auto === 'approvals'
      ? sdk.lastAssistantMessageIsCompleteWithApprovalResponses
      : sdk.lastAssistantMessageIsCompleteWithToolCalls;
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

async function respond(given) {
  for (const each of given) {
    await (each.toolCallId ? chat.addToolOutput(each) : chat.addToolApprovalResponse(each));
  }
  do await pause(100);
  while (!['ready', 'error'].includes(chat.status));
}

function run(step) {
  if (step.resume) return chat.resumeStream();
  if (step.respond) return respond(step.respond);
  if (step.send) return chat.sendMessage();
  if (step.regenerate) {
    return chat.regenerate({ messageId: chat.messages[step.index]?.id });
  }
  const parts = [{ type: 'text', text: step.prompt }];
  if (step.cut !== undefined) chat.messages = chat.messages.slice(0, step.cut);
  if (step.edit !== undefined) {
    return chat.sendMessage({ parts, messageId: chat.messages[step.edit].id });
  }
  return chat.sendMessage(step.messageId ? { id: step.messageId, parts } : { parts });
}

for (const step of options.steps) {
  let stopping;
  let sending;
  let running;
  writes = 0;
  offline = step.offline ?? false;
  onWrite = count => {
    if (count === step.abortAfter) void chat.stop();
    if (count === step.stopAfter) {
      const key = responses.at(-1).stateKey ?? chat.id;
      stopping = recordingFetch(`${root}/threads/${key}/stop`, { method: 'POST', headers });
    }
    if (count === step.sendAfter) {
      // After stop() has returned, older clients still process what they have read.
      const left = step.leave ? chat.stop().then(() => running) : Promise.resolve();
      sending = left.then(() => (step.again ? chat.regenerate() : chat.sendMessage({ text: step.next })));
    }
  };
  running = run(step);
  await running;
  await stopping;
  await sending;
}
// What the client sends by itself does not belong to a step.
if (options.auto) await pause(200);

const { messages, status } = chat;
console.log(JSON.stringify({ messages, status, ...events, responses }));
