import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Chat } from '@ai-sdk/react';
import { isTextUIPart, type UIMessage } from 'ai';
import { Pgthreads } from './pgthreads.ts';

const server = new Pgthreads(process.env.PGTHREADS_API);

function texts(messages: UIMessage[]): string[][] {
  return messages.map(({ id, parts }) => [id, ...parts.filter(isTextUIPart).map(part => part.text)]);
}

test('a chat over the transport, without React around it', async () => {
  const id = 'react';
  assert.deepEqual(await server.load(id), []);
  const chat = new Chat({ id, transport: server.transport() });
  await chat.sendMessage({ text: 'Hello' });
  await chat.sendMessage({ text: 'Hello again' });
  assert.equal(chat.error, undefined);
  assert.deepEqual(
    chat.messages.map(({ role }) => role),
    ['user', 'assistant', 'user', 'assistant'],
  );
  assert.deepEqual(texts(await server.load(id)), texts(chat.messages));

  const opened = new Chat({ id, messages: await server.load(id), transport: server.transport() });
  await opened.resumeStream();
  assert.equal(opened.status, 'ready');
  assert.equal(opened.messages.length, 4);
  await server.stop(id);
});

test('an edit under a new id, as assistant-ui makes it', async () => {
  const id = 'react-edit';
  const chat = new Chat({ id, transport: server.transport() });
  for (const text of ['one', 'two']) await chat.sendMessage({ text });
  for (const kept of [2, 0]) {
    chat.messages = chat.messages.slice(0, kept);
    await chat.sendMessage({ text: `in place of number ${kept}` });
    assert.equal(chat.error, undefined);
    assert.equal(chat.messages.length, kept + 2);
    assert.deepEqual(texts(await server.load(id)), texts(chat.messages));
  }
});
