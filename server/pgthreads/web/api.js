// The HTTP API, and the identifiers that a client makes itself.

const BASE = "/api/v1/ai";
const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-";
const TOKEN = "pgthreads.token";

/** A refusal of the server: `code` is for programs, the message and `hint` for people. */
export class ApiError extends Error {
  constructor(status, code, message, hint = "") {
    super(message);
    Object.assign(this, { status, code, hint });
  }
}

/** 21 random characters of the url alphabet, 126 bits. */
export function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(21)), (byte) => ALPHABET[byte & 63]).join("");
}

export function isStateKey(text) {
  return /^[a-zA-Z0-9_-]{1,128}$/.test(text);
}

/** Calls the API. `askToken` is asked once for all calls that were refused together. */
export class Api {
  constructor(askToken) {
    this._askToken = askToken;
    this._asking = null;
  }

  listThreads(cursor) {
    return this._json(`/threads?limit=30${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`);
  }

  /** The last messages, or those before an earlier answer's `before`. */
  readThread(key, before, signal) {
    return this._json(`/threads/${key}?last=50${before ? `&before=${before}` : ""}`, { signal });
  }

  renameThread(key, title) {
    return this._json(`/threads/${key}`, { method: "PATCH", body: { title } });
  }

  deleteThread(key) {
    return this._call(`/threads/${key}`, { method: "DELETE" });
  }

  stop(key) {
    return this._call(`/threads/${key}/stop`, { method: "POST" });
  }

  /**
   * The response whose body is the answer's stream. `parentId` is the message that is shown before
   * this one, "" if it is the first.
   */
  send(key, message, parentId, signal) {
    return this._call("/chat", { method: "POST", body: { message, id: key, parentId }, signal });
  }

  /** As `send`, for a turn that runs already; null if none does. */
  async resume(key, signal) {
    const response = await this._call(`/chat/${key}/stream`, { signal });
    return response.status === 204 ? null : response;
  }

  async _json(path, options) {
    return (await this._call(path, options)).json();
  }

  async _call(path, { method = "GET", body, signal } = {}) {
    const headers = {};
    const token = sessionStorage.getItem(TOKEN);
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      response = await fetch(BASE + path, {
        method,
        headers,
        signal,
        cache: "no-store",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new ApiError(0, "no_connection", "The server cannot be reached.", "Is it running?");
    }
    if (response.ok) return response;
    const refusal = await response.json().catch(() => ({}));
    if (response.status === 401 && (await this._newToken(token))) {
      return this._call(path, { method, body, signal });
    }
    throw new ApiError(
      response.status,
      refusal.code ?? `http_${response.status}`,
      refusal.error ?? response.statusText,
      refusal.hint,
    );
  }

  /** Whether there is another token than the one that was refused. */
  async _newToken(refused) {
    if (sessionStorage.getItem(TOKEN) !== refused) return true;
    this._asking ??= this._askToken().finally(() => (this._asking = null));
    const token = await this._asking;
    if (!token) return false;
    sessionStorage.setItem(TOKEN, token);
    return true;
  }
}
