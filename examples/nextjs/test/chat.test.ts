import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { generateId, isTextUIPart, simulateReadableStream, type UIMessage } from 'ai';
import { MockLanguageModelV4 } from 'ai/test';
import { answer } from '../lib/answer.ts';
import { ask } from '../lib/ask.ts';
import { pool } from '../lib/database.ts';
import { refusal } from '../lib/refusals.ts';
import { loadThread, requestStop, saveThread } from '../lib/threads.ts';

const owner = 'ada';
const usage = {
  inputTokens: { total: 3, noCache: 3, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 5, text: 5, reasoning: undefined },
};
const finishReason = { unified: 'stop', raw: undefined } as const;

/** A model that says these words, and waits before each one. */
function says(words: string[], delay = 0) {
  return new MockLanguageModelV4({
    doStream: async ({ abortSignal }) => ({
      stream: simulateReadableStream({
        initialDelayInMs: null,
        chunkDelayInMs: delay || null,
        chunks: [
          { type: 'stream-start' as const, warnings: [] },
          { type: 'text-start' as const, id: '1' },
          ...words.map(delta => ({ type: 'text-delta' as const, id: '1', delta })),
          { type: 'text-end' as const, id: '1' },
          { type: 'finish' as const, finishReason, usage },
        ],
      }).pipeThrough(new TransformStream(), { signal: abortSignal }),
    }),
    doGenerate: {
      content: [{ type: 'text', text: words.join('') }],
      finishReason,
      usage,
      warnings: [],
    },
  });
}

function user(words: string, id = generateId()): UIMessage {
  return { id, role: 'user', parts: [{ type: 'text', text: words }] };
}

function texts(messages: UIMessage[]): string[] {
  return messages.map(({ role, parts }) => {
    return `${role}: ${parts.filter(isTextUIPart).map(part => part.text).join('')}`;
  });
}

after(() => pool.end());

test('an answer is streamed, and stored before the client is told that it is finished', async () => {
  const answered = await answer(says(['Mount ', 'Everest.']), owner, null, user('Highest?'));
  assert.ok(answered);
  assert.equal(answered.stateKey.length, 21);

  const types: string[] = [];
  let said = '';
  let id: string | undefined;
  for await (const chunk of answered.stream) {
    types.push(chunk.type);
    if (chunk.type === 'start') id = chunk.messageId;
    if (chunk.type === 'text-delta') said += chunk.delta;
    if (chunk.type === 'finish') {
      assert.equal((await loadThread(owner, answered.stateKey)).length, 2);
    }
  }
  assert.equal(said, 'Mount Everest.');
  assert.equal(types.at(0), 'start');
  assert.equal(types.at(-1), 'finish');

  const messages = await loadThread(owner, answered.stateKey);
  assert.deepEqual(texts(messages), ['user: Highest?', 'assistant: Mount Everest.']);
  assert.equal(messages[1]!.id, id);
});

test('the prompt is the stored thread', async () => {
  const model = says(['K2.']);
  const first = await answer(says(['Everest.']), owner, 'prompt', user('Highest?'));
  await first!.stored;
  const second = await answer(model, owner, 'prompt', user('And the second?'));
  await second!.stored;
  const prompt = model.doStreamCalls[0]!.prompt.map(({ role }) => role);
  assert.deepEqual(prompt, ['user', 'assistant', 'user']);
  assert.equal((await loadThread(owner, 'prompt')).length, 4);
});

test('a page goes on from the message that it shows last', async () => {
  const first = await answer(says(['Everest.']), owner, 'page', user('Highest?'), '');
  await first!.stored;
  const [, shown] = await loadThread(owner, 'page');
  const elsewhere = await answer(says(['K2.']), owner, 'page', user('And the second?'));
  await elsewhere!.stored;

  const model = says(['Nepal.']);
  const second = await answer(model, owner, 'page', user('Where is it?'), shown!.id);
  await second!.stored;
  assert.equal(model.doStreamCalls[0]!.prompt.length, 3);
  assert.deepEqual(texts(await loadThread(owner, 'page')), [
    'user: Highest?', 'assistant: Everest.', 'user: Where is it?', 'assistant: Nepal.',
  ]);
});

test('a client that leaves changes nothing', async () => {
  const answered = await answer(says(['All ', 'of ', 'it.'], 20), owner, 'left', user('Hello'));
  await answered!.stream.cancel();
  await answered!.stored;
  assert.deepEqual(texts(await loadThread(owner, 'left')), ['user: Hello', 'assistant: All of it.']);
});

test('a message that is sent again is answered once', async () => {
  const model = says(['Once.'], 50);
  const message = user('Hello', 'm1');
  const first = await answer(model, owner, 'again', message);
  assert.equal(await answer(model, owner, 'again', message), null);
  await first!.stored;

  const again = await answer(model, owner, 'again', message);
  let said = '';
  for await (const chunk of again!.stream) if (chunk.type === 'text-delta') said += chunk.delta;
  assert.equal(said, 'Once.');
  assert.equal(model.doStreamCalls.length, 1);
  assert.equal((await loadThread(owner, 'again')).length, 2);
});

test('a stop keeps what came so far', { timeout: 30_000 }, async () => {
  const slow = says(Array.from({ length: 1000 }, () => 'and on '), 50);
  const answered = await answer(slow, owner, 'stop', user('Talk'));
  await new Promise(resolve => setTimeout(resolve, 500));
  assert.equal(await requestStop(owner, 'stop'), true);
  await answered!.stored;
  const messages = await loadThread(owner, 'stop');
  assert.deepEqual(messages[1]!.metadata, { status: 'stopped' });
  assert.match(texts(messages)[1]!, /^assistant: and on /);
  assert.equal(await requestStop(owner, 'stop'), false);
});

test('a model that fails ends its turn, and the next one goes on', async () => {
  const broken = new MockLanguageModelV4({
    doStream: async () => {
      throw new Error('a secret of the provider');
    },
  });
  const failed = await answer(broken, owner, 'fail', user('Hello'));
  const chunks = await Array.fromAsync(failed!.stream);
  assert.ok(chunks.some(({ type }) => type === 'error'));
  assert.ok(!JSON.stringify(chunks).includes('secret'));
  await failed!.stored;
  assert.deepEqual(texts(await loadThread(owner, 'fail')), ['user: Hello']);

  const next = await answer(says(['Here.']), owner, 'fail', user('And now?'));
  await next!.stored;
  assert.equal((await loadThread(owner, 'fail')).length, 3);
});

test('what a client may not send is refused by its SQLSTATE', async () => {
  const forged = { id: 'a1', role: 'assistant', parts: [{ type: 'text', text: 'I said that.' }] };
  for (const [key, message] of [['forged', forged], ['none', undefined], ['bad key', user('x')]]) {
    const error = await answer(says(['x']), owner, key as string, message).catch(e => e);
    const response = refusal(error);
    assert.equal(response.status, 400);
    assert.match((await response.json()).code, /^TH(MSG|KEY)$/);
  }
});

test('load, push, save', async () => {
  assert.equal(await ask(says(['Everest.']), owner, 'ask', 'Highest?'), 'Everest.');
  assert.equal(await ask(says(['K2.']), owner, 'ask', 'And then?'), 'K2.');
  const messages = await loadThread(owner, 'ask');
  assert.deepEqual(texts(messages), [
    'user: Highest?', 'assistant: Everest.', 'user: And then?', 'assistant: K2.',
  ]);

  const rewritten = [user('Lowest?'), ...messages.slice(1)];
  for (const wrong of [messages.slice(0, 2), rewritten]) {
    const response = refusal(await saveThread(owner, 'ask', wrong).catch(error => error));
    assert.equal(response.status, 409);
    assert.equal((await response.json()).code, 'THSHR');
  }
  assert.equal(await saveThread(owner, 'ask', messages), 0);
});
