// The HTTP API, and the identifiers that a client makes itself.

const BASE = "/api/v1/ai";
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
const TOKEN = "pgthreads.token";

import type { Hit, Message, Reading, Share, Shared, Thread, ThreadPage } from "./types.ts";

/** A refusal of the server: `code` is for programs, the message and `hint` for people. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint = "",
    /** For how many seconds the server does not want to be asked again. */
    readonly retryAfter = 0,
  ) {
    super(message);
  }
}

/** 21 random characters of the url alphabet, 126 bits. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(21)), (byte) => ALPHABET[byte & 63]).join("");
}

export function isStateKey(text: string): boolean {
  return /^[a-zA-Z0-9_-]{1,128}$/.test(text);
}

/** Whether this is the error of a request that the page itself gave up. */
export function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** What is asked: a message to store and answer, or a stored one to answer once more. */
export interface Question {
  message?: Message;
  messages?: Message[];
  /** The message that is shown before this one, "" if it is the first. */
  parentId?: string | undefined;
  trigger?: "regenerate-message";
  messageId?: string;
  turnId?: string;
  onBusy?: "enqueue";
}

interface ReadOptions {
  last?: number;
  before?: number | undefined;
  leaf?: string | undefined;
  signal?: AbortSignal;
}

interface Options {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** The token of a link, in place of the user's. */
  share?: string;
}

/** Calls the API. `askToken` is asked once for all calls that were refused together. */
export class Api {
  /** Which model is to answer; undefined leaves that to the server. */
  model: string | undefined;
  private _asking: Promise<string | null> | null = null;

  constructor(private readonly _askToken: () => Promise<string | null>) {}

  listThreads(cursor?: string, archived = false): Promise<ThreadPage> {
    const query = new URLSearchParams({ limit: "30" });
    if (cursor !== undefined) query.set("cursor", cursor);
    if (archived) query.set("archived", "true");
    return this._json(`/threads?${query}`);
  }

  /** A thread as the list shows it. */
  readHeader(key: string): Promise<Thread> {
    return this._json(`/threads/${key}/header`);
  }

  search(query: string): Promise<{ threads: Hit[] }> {
    return this._json(`/search?${new URLSearchParams({ q: query, limit: "30" })}`);
  }

  /** The models that a question may name, and the one that answers otherwise. */
  listModels(): Promise<{ models: string[]; default: string | null }> {
    return this._json("/models");
  }

  /** The last messages, or those before an earlier answer's `before`; of the newest branch, or another. */
  readThread(key: string, { last = 50, before, leaf, signal }: ReadOptions = {}): Promise<Reading> {
    const query = new URLSearchParams({ last: String(last), details: "true" });
    if (before !== undefined) query.set("before", String(before));
    if (leaf !== undefined) query.set("leaf", leaf);
    return this._json(`/threads/${key}?${query}`, { signal });
  }

  listBranches(key: string, signal?: AbortSignal): Promise<{ branches: { leafId: string }[] }> {
    return this._json(`/threads/${key}/branches`, { signal });
  }

  updateThread(key: string, changes: { title?: string; archived?: boolean }): Promise<unknown> {
    return this._json(`/threads/${key}`, { method: "PATCH", body: changes });
  }

  exportThread(key: string, format: string): Promise<Response> {
    return this._call(`/threads/${key}/export?format=${format}`);
  }

  /** Makes a link; only this answer has its token. */
  shareThread(key: string): Promise<Share & { token: string }> {
    return this._json(`/threads/${key}/shares`, { method: "POST", body: {} });
  }

  listShares(key: string): Promise<{ shares: Share[] }> {
    return this._json(`/threads/${key}/shares`);
  }

  deleteShare(key: string, id: string): Promise<Response> {
    return this._call(`/threads/${key}/shares/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  /** What a link shows: its last messages, or those before an earlier answer's `before`. */
  readShared(share: string, before?: number): Promise<Shared> {
    const query = new URLSearchParams({ last: "50" });
    if (before !== undefined) query.set("before", String(before));
    return this._json(`/shared?${query}`, { share });
  }

  deleteThread(key: string): Promise<Response> {
    return this._call(`/threads/${key}`, { method: "DELETE" });
  }

  stop(key: string): Promise<Response> {
    return this._call(`/threads/${key}/stop`, { method: "POST" });
  }

  /** The response whose body tells which threads change, since the event with this id. */
  events(lastId: string, signal: AbortSignal): Promise<Response> {
    return this._call("/events", { signal, headers: lastId === "" ? {} : { "Last-Event-ID": lastId } });
  }

  /** The response whose body is the answer's stream. */
  send(key: string, question: Question, signal?: AbortSignal): Promise<Response> {
    return this._call("/chat", { method: "POST", body: { id: key, model: this.model, ...question }, signal });
  }

  /** As `send`, for a turn that runs already; null if none does. */
  async resume(key: string, signal?: AbortSignal): Promise<Response | null> {
    const response = await this._call(`/chat/${key}/stream`, { signal });
    return response.status === 204 ? null : response;
  }

  private async _json(path: string, options?: Options) {
    return (await this._call(path, options)).json();
  }

  private async _call(path: string, options: Options = {}): Promise<Response> {
    const { method = "GET", body, signal, share } = options;
    const headers: Record<string, string> = { ...options.headers };
    const token = sessionStorage.getItem(TOKEN);
    if (share !== undefined) headers.Authorization = `Share ${share}`;
    else if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await fetch(BASE + path, {
        method,
        headers,
        cache: "no-store",
        signal: signal ?? null,
        body: body === undefined ? null : JSON.stringify(body),
      });
    } catch (error) {
      if (isAbort(error)) throw error;
      throw new ApiError(0, "no_connection", "The server cannot be reached.", "Is it running?");
    }
    if (response.ok) return response;
    const refusal = await response.json().catch(() => ({}));
    if (response.status === 401 && share === undefined && (await this._newToken(token))) {
      return this._call(path, options);
    }
    throw new ApiError(
      response.status,
      refusal.code ?? `http_${response.status}`,
      refusal.error ?? response.statusText,
      refusal.hint,
      Number(response.headers.get("Retry-After")) || 0,
    );
  }

  /** Whether there is another token than the one that was refused. */
  private async _newToken(refused: string | null): Promise<boolean> {
    if (sessionStorage.getItem(TOKEN) !== refused) return true;
    this._asking ??= this._askToken().finally(() => (this._asking = null));
    const token = await this._asking;
    if (!token) return false;
    sessionStorage.setItem(TOKEN, token);
    return true;
  }
}
