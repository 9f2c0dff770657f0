// What was typed and is not stored by the server yet: drafts, and messages that are to be sent. It is
// kept in this browser, for each thread, until the server has it.

import type { Message, Part } from "./types.ts";

export interface Draft {
  text: string;
  files: Part[];
}

/** A message to be sent. Sending it again is safe, because it keeps its id. */
export interface Pending {
  message: Message;
  /** The message that it continues; unknown while that one is still being answered. */
  parentId?: string;
  /** Whether it goes there even if the thread has gone on since: it edits what followed. */
  isEdit?: boolean;
}

const TOKEN = "pgthreads.token";

export class Outbox {
  /** What the browser had no room for. */
  private readonly _memory = new Map<string, string>();

  /** The draft of a thread; "" is the thread that has no message yet. */
  draft(key: string): Draft {
    return {
      text: this._read<string>(this._name("text", key)) ?? "",
      files: this._read<Part[]>(this._name("files", key)) ?? [],
    };
  }

  /** Returns whether it will outlive this tab. */
  saveText(key: string, text: string): boolean {
    return this._write(this._name("text", key), text === "" ? null : text);
  }

  saveFiles(key: string, files: Part[]): boolean {
    return this._write(this._name("files", key), files.length === 0 ? null : files);
  }

  put(key: string, pending: Pending): boolean {
    // In the order of the calls, and each under its own name, so that tabs do not disturb each other.
    const place = `${String(Date.now()).padStart(15, "0")}.${pending.message.id}`;
    return this._write(this._name("send", key, place), pending);
  }

  remove(key: string, id: string): void {
    for (const name of this._names(this._name("send", key, ""))) {
      if (name.endsWith(`.${id}`)) this._write(name, null);
    }
  }

  list(key: string): Pending[] {
    const names = this._names(this._name("send", key, ""));
    return names.flatMap((name) => this._read<Pending>(name) ?? []);
  }

  /** The threads that have messages to be sent. */
  threads(): string[] {
    const start = this._name("send", "");
    return [...new Set(this._names(start).map((name) => name.slice(start.length).split("/")[0] ?? ""))];
  }

  private _names(start: string): string[] {
    const names = [...Object.keys(localStorage), ...this._memory.keys()];
    return [...new Set(names)].filter((name) => name.startsWith(start)).sort();
  }

  private _name(...parts: string[]): string {
    return ["pgthreads", owner(), ...parts].join("/");
  }

  private _read<T>(name: string): T | null {
    const found = this._memory.get(name) ?? localStorage.getItem(name);
    if (found === null || found === undefined) return null;
    try {
      return JSON.parse(found) as T;
    } catch {
      return null;
    }
  }

  private _write(name: string, value: unknown): boolean {
    this._memory.delete(name);
    if (value === null) {
      localStorage.removeItem(name);
      return true;
    }
    const text = JSON.stringify(value);
    try {
      localStorage.setItem(name, text);
      return true;
    } catch {
      localStorage.removeItem(name);
      this._memory.set(name, text);
      return false;
    }
  }
}

/** Who the token of this tab is for, so that another user of this browser is not shown the drafts. */
function owner(): string {
  const claims = sessionStorage.getItem(TOKEN)?.split(".")[1];
  if (claims === undefined) return "";
  try {
    const bytes = atob(claims.replaceAll("-", "+").replaceAll("_", "/"));
    return encodeURIComponent(String(JSON.parse(bytes).sub));
  } catch {
    return "";
  }
}
