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
import { beginTurn, extendTurn, finishTurn, type Status } from './threads.ts';

const HEARTBEAT_MS = 5_000;

export type Answer = {
  stateKey: string;
  stream: ReadableStream<UIMessageChunk>;
  /** Settles when the answer is stored, whether or not anybody reads the stream. */
  stored: Promise<void>;
};

/**
 * Answers one user message in the thread that the database holds: nothing of what the client
 * remembers gets into the prompt. Null if the thread's turn with this message is still running.
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
  stored.promise.catch(() => {}); // whoever waits for it sees the error, the client does anyway
  const stream = createUIMessageStream({
    // This is the pump: it reads the model to its end even if the client has left, because writing
    // to a stream that nobody reads is no error.
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
          sendFinish: false, // success is told after the commit
          onEnd: ({ responseMessage, outcome }) => {
            const status: Status =
              outcome.status === 'completed' ? 'completed'
              : outcome.status === 'aborted' ? 'stopped'
              : 'failed';
            const messages = toStore(responseMessage, status);
            return finishTurn(owner, stateKey, turn.turn_id, messages, status, usage);
          },
        });
        for await (const chunk of chunks) writer.write(chunk);
        writer.write({ type: 'finish' });
        stored.resolve();
      } catch (error) {
        // If not even this gets through, the next message takes over when the lease has run out.
        await finishTurn(owner, stateKey, turn.turn_id, [], 'failed', null).catch(console.error);
        stored.reject(error);
        throw error;
      } finally {
        clearInterval(heartbeat);
      }
    },
  });
  return { stateKey, stream, stored: stored.promise };
}

/** The answer as it is stored; nothing if nothing came before the turn broke off. */
function toStore(message: UIMessage, status: Status): UIMessage[] {
  if (status === 'completed') return [message];
  if (message.parts.every(part => part.type === 'step-start')) return [];
  return [{ ...message, metadata: { status } }];
}

/** The text of a stored answer as a stream: the client sent a message again. */
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
