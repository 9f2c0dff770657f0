import { type UIMessage, useChat } from '@ai-sdk/react';
import { useEffect, useState } from 'react';
import { Pgthreads } from './pgthreads.ts';

const server = new Pgthreads();
const transport = server.transport();

/** A thread of the server, new or not: `<Thread key={stateKey} stateKey={stateKey} />`. */
export function Thread({ stateKey }: { stateKey: string }) {
  const [stored, setStored] = useState<UIMessage[]>();
  useEffect(() => {
    void server.load(stateKey).then(setStored);
  }, [stateKey]);
  return stored && <Chat stateKey={stateKey} stored={stored} />;
}

function Chat({ stateKey, stored }: { stateKey: string; stored: UIMessage[] }) {
  const { messages, sendMessage, regenerate, status, error } = useChat({
    id: stateKey,
    messages: stored,
    transport,
    resume: true, // a page that opens while an answer is generated reads it from its start
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
          <button type="button" onClick={() => server.stop(stateKey)}>
            Stop
          </button>
        ) : (
          <>
            <button>Send</button>
            <button type="button" onClick={() => regenerate()}>
              Again
            </button>
          </>
        )}
      </form>
    </main>
  );
}
