import {
  convertToModelMessages,
  createUIMessageStream,
  generateId,
  type LanguageModel,
  streamText,
  toUIMessageStream,
  type UIMessage,
  type UIMessageChunk,
} from 'ai';
import { beginTurn, completeTurn, extendTurn, type Status } from './threads.ts';

const HEARTBEAT_MS = 5_000;

export type Answer = {
  stateKey: string;
  stream: ReadableStream<UIMessageChunk>;
  /** Settles when the answer is stored, whether or not anybody reads the stream. */
  stored: Promise<void>;
};

/**
 * Answers one user message in the thread that the database holds; the prompt contains nothing of
 * what the client remembers. Returns null while the turn with this message is still running.
 */
export async function answer(
  model: LanguageModel,
  owner: string,
  key: string | null,
  message: unknown,
  parentId: string | null = null,
): Promise<Answer | null> {
  const turn = await beginTurn(owner, key, message, generateId(), parentId);
  if (turn.outcome === 'running') return null;
  const stateKey = turn.state_key;
  if (turn.outcome === 'answered') {
    return { stateKey, stream: replay(turn.answer), stored: Promise.resolve() };
  }

  const stored = Promise.withResolvers<void>();
  stored.promise.catch(() => {}); // whoever awaits it gets the error, and so does the client
  const stream = createUIMessageStream({
    // This is the pump. It reads the model to its end even if the client has left, because it is no
    // error to write to a stream that nobody reads.
    execute: async ({ writer }) => {
      const stop = new AbortController();
      const heartbeat = setInterval(async () => {
        const lease = await extendTurn(owner, stateKey, turn.turn_id).catch(console.error);
        if (lease && (lease.stop_requested || !lease.alive)) stop.abort();
      }, HEARTBEAT_MS);
      try {
        let usage: object | null = null;
        const result = streamText({
          model,
          messages: await convertToModelMessages(turn.history, { ignoreIncompleteToolCalls: true }),
          abortSignal: stop.signal,
          onEnd: end => void (usage = end.usage),
        });
        const chunks = toUIMessageStream({
          stream: result.stream,
          originalMessages: turn.history,
          generateMessageId: generateId,
          sendFinish: false, // the client is told of success after the commit
          onEnd: ({ responseMessage, outcome }) => {
            const status: Status =
              outcome.status === 'completed' ? 'completed'
              : outcome.status === 'aborted' ? 'stopped'
              : 'failed';
            const message = toStore(responseMessage, status);
            return completeTurn(owner, stateKey, turn.turn_id, message, status, usage);
          },
        });
        for await (const chunk of chunks) writer.write(chunk);
        writer.write({ type: 'finish' });
        stored.resolve();
      } catch (error) {
        // If this fails as well, the next message takes over when the lease has run out.
        await completeTurn(owner, stateKey, turn.turn_id, null, 'failed', null).catch(console.error);
        stored.reject(error);
        throw error;
      } finally {
        clearInterval(heartbeat);
      }
    },
  });
  return { stateKey, stream, stored: stored.promise };
}

/** The message to store: none if the turn broke off before the model had said anything. */
function toStore(message: UIMessage, status: Status): UIMessage | null {
  if (status === 'completed') return message;
  if (message.parts.every(part => part.type === 'step-start')) return null;
  return { ...message, metadata: { status } };
}

/** The text of a stored answer as a stream, for a client that has sent its message again. */
function replay(message: UIMessage): ReadableStream<UIMessageChunk> {
  return createUIMessageStream({
    execute: ({ writer }) => {
      writer.write({ type: 'start', messageId: message.id });
      for (const [index, part] of message.parts.entries()) {
        if (part.type !== 'text') continue;
        const id = String(index);
        writer.write({ type: 'text-start', id });
        writer.write({ type: 'text-delta', id, delta: part.text });
        writer.write({ type: 'text-end', id });
      }
      writer.write({ type: 'finish' });
    },
  });
}
