// The list of threads: a page at a time, the latest first, asked for again while something runs.

import { askTitle, confirmDelete } from "./dialogs.js";
import { element } from "./text.js";

const POLL_MS = 3000;
const ICONS = {
  rename: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2z",
  delete: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5",
};

/** Draws the list; calls `onChange()`, `onDeleted(key)` and `onError(error)`. */
export class ThreadList {
  constructor(api, handlers) {
    this._api = api;
    this._list = document.getElementById("threads");
    this._more = document.getElementById("more-threads");
    this._empty = document.getElementById("no-threads");
    this._handlers = handlers;
    this._threads = new Map();
    this._cursor = undefined;
    this._pages = 1;
    this._asked = 0;
    this._timer = 0;
    this.current = "";
    this._more.addEventListener("click", () => this._loadMore());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
  }

  title(key) {
    return this._threads.get(key)?.title ?? null;
  }

  select(key) {
    this.current = key;
    this._draw();
  }

  /** Asks for the pages that are shown again. The latest call wins. */
  async refresh() {
    const asked = ++this._asked;
    clearTimeout(this._timer);
    const threads = new Map();
    let cursor;
    try {
      for (let page = 0; page < this._pages; page += 1) {
        const answer = await this._api.listThreads(cursor);
        for (const thread of answer.threads) threads.set(thread.stateKey, thread);
        cursor = answer.nextCursor;
        if (cursor === undefined) break;
      }
    } catch (error) {
      if (asked === this._asked) this._handlers.onError(error);
      return;
    }
    if (asked !== this._asked) return;
    this._threads = threads;
    this._cursor = cursor;
    this._draw();
    this._handlers.onChange();
    if (!document.hidden && [...threads.values()].some((thread) => thread.running)) {
      this._timer = setTimeout(() => this.refresh(), POLL_MS);
    }
  }

  async _loadMore() {
    const last = this._list.lastElementChild;
    this._pages += 1;
    await this.refresh();
    // The button may be gone now, and the focus with it.
    if (document.activeElement === document.body) {
      (last?.nextElementSibling ?? last)?.querySelector("a")?.focus();
    }
  }

  _draw() {
    const focused = document.activeElement?.closest?.("#threads li")?.dataset.key;
    const control = document.activeElement?.dataset?.control;
    this._list.replaceChildren(...[...this._threads.values()].map((thread) => this._row(thread)));
    this._more.hidden = this._cursor === undefined;
    this._empty.hidden = this._threads.size > 0;
    if (focused !== undefined) {
      const row = this._list.querySelector(`li[data-key="${CSS.escape(focused)}"]`);
      row?.querySelector(`[data-control="${control}"]`)?.focus();
    }
  }

  _row(thread) {
    const title = thread.title ?? "Untitled";
    const row = element("li");
    row.dataset.key = thread.stateKey;
    const anchor = element("a");
    anchor.href = `#${thread.stateKey}`;
    anchor.dataset.control = "open";
    if (thread.stateKey === this.current) anchor.setAttribute("aria-current", "page");
    const count = thread.messageCount === 1 ? "1 message" : `${thread.messageCount} messages`;
    anchor.append(
      element("span", "name", title),
      element("span", "when", `${ago(thread.updatedAt)} · ${count}`),
    );
    if (thread.running) {
      const dot = element("span", "dot");
      dot.setAttribute("role", "img");
      dot.setAttribute("aria-label", "running");
      anchor.append(dot);
    }
    row.append(
      anchor,
      iconButton("rename", `Rename ${title}`, () => this.rename(thread.stateKey)),
      iconButton("delete", `Delete ${title}`, () => this._delete(thread.stateKey, title)),
    );
    return row;
  }

  async rename(key) {
    const title = await askTitle(this.title(key) ?? "");
    if (title === null) return;
    try {
      await this._api.renameThread(key, title);
    } catch (error) {
      this._handlers.onError(error);
    }
    await this.refresh();
  }

  async _delete(key, title) {
    if (!(await confirmDelete(title))) return;
    try {
      await this._api.deleteThread(key);
      this._handlers.onDeleted(key);
    } catch (error) {
      this._handlers.onError(error);
    }
    await this.refresh();
  }
}

function iconButton(control, label, act) {
  const button = element("button", "icon small");
  button.type = "button";
  button.dataset.control = control;
  button.setAttribute("aria-label", label);
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(svg.namespaceURI, "path");
  path.setAttribute("d", ICONS[control]);
  svg.append(path);
  button.append(svg);
  button.addEventListener("click", act);
  return button;
}

const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function ago(time) {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds > 30 * 86400) return new Date(time).toLocaleDateString("en", { dateStyle: "medium" });
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return RELATIVE.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}
