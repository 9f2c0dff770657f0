'use client';

import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport, type UIMessage } from 'ai';

export function Chat({ id, stored }: { id: string; stored: UIMessage[] }) {
  const { messages, sendMessage, status, error } = useChat({
    id,
    messages: stored,
    transport: new DefaultChatTransport({
      api: '/api/chat',
      // The server has the other messages; parentId says where the page is in the thread.
      prepareSendMessagesRequest: ({ id, messages }) => ({
        body: { id, message: messages.at(-1), parentId: messages.at(-2)?.id ?? '' },
      }),
    }),
  });
  const busy = status === 'submitted' || status === 'streaming';

  return (
    <main>
      {messages.map(message => (
        <p key={message.id}>
          <b>{message.role}</b>{' '}
          {message.parts.map(part => (part.type === 'text' ? part.text : '')).join('')}
        </p>
      ))}
      {error && <p role="alert">{error.message}</p>}
      <form
        action={form => {
          void sendMessage({ text: String(form.get('text')) });
        }}
      >
        <input name="text" required autoFocus />
        {busy ? (
          <button type="button" onClick={() => fetch(`/api/chat?id=${id}`, { method: 'DELETE' })}>
            Stop
          </button>
        ) : (
          <button>Send</button>
        )}
      </form>
    </main>
  );
}
