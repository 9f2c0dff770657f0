import { DefaultChatTransport, type UIMessage } from 'ai';

/** A client of `pgthreads serve`; `token` returns the bearer token, if the server wants one. */
export class Pgthreads {
  readonly api: string;
  private readonly token?: () => string;

  constructor(api = 'http://127.0.0.1:8080/api/v1/ai', token?: () => string) {
    this.api = api;
    this.token = token;
  }

  headers = (): Record<string, string> => {
    return this.token ? { authorization: `Bearer ${this.token()}` } : {};
  };

  /**
   * Sends the newest user message, and the id of the one before it. The server has the thread, and
   * that id says where the page is in it, which is enough for edited messages and old branches. The
   * transport reads a resumed stream from `${api}/chat/${id}/stream` by itself.
   */
  transport(): DefaultChatTransport<UIMessage> {
    return new DefaultChatTransport({
      api: `${this.api}/chat`,
      headers: this.headers,
      prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
        body: {
          stateKey: id,
          messages: messages.slice(-1),
          parentId: messages.at(-2)?.id ?? '',
          trigger,
          messageId,
        },
      }),
    });
  }

  /** The messages of a thread; none if it is new. */
  async load(stateKey: string): Promise<UIMessage[]> {
    const response = await fetch(this.thread(stateKey), { headers: this.headers() });
    if (response.status === 404) return [];
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()).messages;
  }

  /** Asks the running turn to stop. What it has generated is stored, and its stream ends. */
  async stop(stateKey: string): Promise<void> {
    const url = `${this.thread(stateKey)}/stop`;
    await fetch(url, { method: 'POST', headers: this.headers() });
  }

  private thread(stateKey: string): string {
    return `${this.api}/threads/${stateKey}`;
  }
}
