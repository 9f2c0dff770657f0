// What is done while the server cannot be reached or takes nothing: wait, ask again, wait longer.

import { ApiError } from "./api.ts";
import { byId } from "./dom.ts";

const FIRST_MS = 1000;
const LONGEST_MS = 30_000;

/** Whether the same request may succeed later. */
export function isTemporary(error: unknown): error is ApiError {
  return error instanceof ApiError && [0, 408, 429, 502, 503, 504].includes(error.status);
}

export class Connection {
  private readonly _bar = byId("offline");
  private readonly _text = byId("offline-text");
  private _attempt = 0;
  private _failures = 0;
  private _timer = 0;

  /** `resume` does again whatever is left to do. */
  constructor(private readonly _resume: () => Promise<void>) {
    byId("offline-now").addEventListener("click", () => this._now());
    window.addEventListener("online", () => this._now());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this._timer !== 0) this._now();
    });
  }

  /** Takes note that a request failed, and asks again later. */
  failed(error: ApiError): void {
    this._failures += 1;
    const text =
      error.status === 0 ? "The server cannot be reached." : `The server is busy: ${error.message}.`;
    this._text.textContent = `${text} What you type is kept, and sent as soon as possible.`;
    this._bar.hidden = false;
    if (this._timer !== 0) return;
    const wait = Math.min(LONGEST_MS, FIRST_MS * 2 ** this._attempt) * (0.75 + Math.random() / 2);
    this._timer = setTimeout(() => this._now(), Math.max(wait, 1000 * error.retryAfter));
    this._attempt += 1;
  }

  works(): void {
    clearTimeout(this._timer);
    this._timer = 0;
    this._attempt = 0;
    this._bar.hidden = true;
  }

  private async _now(): Promise<void> {
    clearTimeout(this._timer);
    this._timer = 0;
    const before = this._failures;
    await this._resume();
    if (before === this._failures) this.works();
  }
}
