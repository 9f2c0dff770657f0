// Hears from the server which threads change: in another tab, on another device, or in this page.
// While the page is not to be seen it does not listen, because a browser opens only a few
// connections to a host; afterwards it is told what it has missed.

import { type Api, ApiError } from "./api.ts";
import type { Thread } from "./types.ts";

const FIRST_MS = 500;
const LONGEST_MS = 30_000;

export interface Handlers {
  onThread(thread: Thread): void;
  onDeleted(key: string): void;
  /** Anything may have changed: the page listens from now on, or has missed too much. */
  onReload(): void;
}

export class Live {
  private _lastId = "";
  private _listening: AbortController | null = null;
  private _attempt = 0;
  private _resume: () => void = () => {};

  constructor(
    private readonly _api: Api,
    private readonly _handlers: Handlers,
  ) {
    document.addEventListener("visibilitychange", () => this._follow());
    window.addEventListener("online", () => this._follow(true));
    this._follow();
  }

  /** The server can be reached again: does not wait any longer. */
  retry(): void {
    this._attempt = 0;
    this._resume();
  }

  private _follow(anew = false): void {
    if (document.hidden || anew) {
      this._listening?.abort();
      this._listening = null;
    }
    if (document.hidden || this._listening !== null) return;
    this._attempt = 0;
    this._listening = new AbortController();
    void this._listen(this._listening.signal);
  }

  /** Listens again and again, and waits longer after each failure. */
  private async _listen(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const response = await this._api.events(this._lastId, signal);
        await this._read(response.body as ReadableStream<Uint8Array>);
      } catch (error) {
        // The connection bar tells people of a server that is away. One that refuses to tell of
        // changes is asked again when the page is seen again.
        if (error instanceof ApiError && [401, 403, 404].includes(error.status)) return;
      }
      const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** this._attempt) * (0.75 + Math.random() / 2);
      this._attempt += 1;
      await new Promise<void>((resume) => {
        this._resume = resume;
        setTimeout(resume, wait);
      });
    }
  }

  private async _read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const reader = body.getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const frames = rest.split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) this._take(frame);
    }
  }

  private _take(frame: string): void {
    const fields = new Map(frame.split("\n").map((line) => splitAt(line, ": ")));
    this._lastId = fields.get("id") ?? this._lastId;
    const data = JSON.parse(fields.get("data") ?? "null");
    switch (fields.get("event")) {
      case "ready":
        this._attempt = 0;
        this._handlers.onReload();
        break;
      case "reload":
        this._handlers.onReload();
        break;
      case "thread":
        this._handlers.onThread(data);
        break;
      case "deleted":
        this._handlers.onDeleted(data.stateKey);
        break;
    }
  }
}

function splitAt(line: string, mark: string): [string, string] {
  const at = line.indexOf(mark);
  return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + mark.length)];
}
