// The list of threads: a page at a time, the latest first, asked for again while something runs.

import { askTitle, confirmDelete } from "./dialogs.ts";
import type { Api } from "./api.ts";
import { byId, element, icon } from "./dom.ts";
import type { Thread, ThreadPage } from "./types.ts";

const POLL_MS = 3000;
type Control = "rename" | "delete";

interface Handlers {
  onChange(): void;
  onDeleted(key: string): void;
  onError(error: unknown): void;
  /** The list could not be read. */
  onTrouble(error: unknown): void;
}

const ICONS: Record<Control, string> = {
  rename: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2z",
  delete: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 8.5h6l.5-8.5",
};

/** Draws the list; calls `onChange()`, `onDeleted(key)` and `onError(error)`. */
export class ThreadList {
  private readonly _list = byId("threads");
  private readonly _more = byId("more-threads");
  private readonly _empty = byId("no-threads");
  private _threads = new Map<string, Thread>();
  private _cursor: string | undefined = undefined;
  private _pages = 1;
  private _asked = 0;
  private _timer = 0;
  current = "";

  constructor(
    private readonly _api: Api,
    private readonly _handlers: Handlers,
  ) {
    this._list.addEventListener("keydown", (event) => this._move(event));
    this._more.addEventListener("click", () => this._loadMore());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
  }

  title(key: string): string | null {
    return this._threads.get(key)?.title ?? null;
  }

  select(key: string): void {
    this.current = key;
    this._draw();
  }

  /** Asks for the pages that are shown again. The latest call wins. */
  async refresh(): Promise<void> {
    const asked = ++this._asked;
    clearTimeout(this._timer);
    const threads = new Map<string, Thread>();
    let cursor: string | undefined;
    try {
      for (let page = 0; page < this._pages; page += 1) {
        const answer: ThreadPage = await this._api.listThreads(cursor);
        for (const thread of answer.threads) threads.set(thread.stateKey, thread);
        cursor = answer.nextCursor;
        if (cursor === undefined) break;
      }
    } catch (error) {
      if (asked === this._asked) this._handlers.onTrouble(error);
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

  private async _loadMore(): Promise<void> {
    const last = this._list.lastElementChild;
    this._pages += 1;
    await this.refresh();
    // The button may be gone now, and the focus with it.
    if (document.activeElement === document.body) {
      const row = last?.nextElementSibling ?? last;
      row?.querySelector("a")?.focus();
    }
  }

  private _draw(): void {
    const focused = document.activeElement?.closest<HTMLElement>("#threads li")?.dataset.key;
    const control = (document.activeElement as HTMLElement | null)?.dataset.control;
    this._list.replaceChildren(...[...this._threads.values()].map((thread) => this._row(thread)));
    this._more.hidden = this._cursor === undefined;
    this._empty.hidden = this._threads.size > 0;
    if (focused !== undefined) {
      const row = this._list.querySelector(`li[data-key="${CSS.escape(focused)}"]`);
      row?.querySelector<HTMLElement>(`[data-control="${control}"]`)?.focus();
    }
    this._setStop();
  }

  /** One stop for the Tab key: the open thread, or else the first one. The arrows lead to the rest. */
  private _setStop(): void {
    const links = [...this._list.querySelectorAll<HTMLElement>("[data-control=open]")];
    const focused = links.find((link) => link === document.activeElement);
    const current = links.find((link) => link.hasAttribute("aria-current"));
    for (const link of links) link.tabIndex = link === (focused ?? current ?? links[0]) ? 0 : -1;
  }

  private _move(event: KeyboardEvent): void {
    const at = document.activeElement as HTMLElement | null;
    const row = at?.closest("li");
    if (!row || event.ctrlKey || event.metaKey || event.altKey) return;
    const controls = [...row.querySelectorAll<HTMLElement>("[data-control]")];
    const place = controls.indexOf(at as HTMLElement);
    const rows = [...this._list.children];
    const line = rows.indexOf(row);
    const inRow = (to: Element | undefined) => to?.querySelector<HTMLElement>("[data-control=open]");
    const target = {
      ArrowDown: inRow(rows[line + 1]),
      ArrowUp: inRow(rows[line - 1]),
      Home: inRow(rows[0]),
      End: inRow(rows.at(-1)),
      ArrowRight: controls[place + 1],
      ArrowLeft: controls[place - 1],
      F2: undefined,
      Delete: undefined,
    }[event.key];
    if (event.key === "F2") controls.find((each) => each.dataset.control === "rename")?.click();
    else if (event.key === "Delete") controls.find((each) => each.dataset.control === "delete")?.click();
    else if (!target) return;
    event.preventDefault();
    target?.focus();
    this._setStop();
  }

  private _row(thread: Thread): HTMLElement {
    const title = thread.title ?? "Untitled";
    const row = element("li");
    row.dataset.key = thread.stateKey;
    const anchor = element("a");
    anchor.href = `#${thread.stateKey}`;
    anchor.dataset.control = "open";
    if (thread.stateKey === this.current) anchor.setAttribute("aria-current", "page");
    const name = element("span", "name", title);
    name.dir = "auto";
    const count = thread.messageCount === 1 ? "1 message" : `${thread.messageCount} messages`;
    anchor.append(
      name,
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

  async rename(key: string): Promise<void> {
    const title = await askTitle(this.title(key) ?? "");
    if (title === null) return;
    try {
      await this._api.renameThread(key, title);
    } catch (error) {
      this._handlers.onError(error);
    }
    await this.refresh();
  }

  private async _delete(key: string, title: string): Promise<void> {
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

function iconButton(control: Control, label: string, act: () => void): HTMLElement {
  const button = element("button", "icon small");
  button.type = "button";
  // The arrows lead here.
  button.tabIndex = -1;
  button.dataset.control = control;
  button.setAttribute("aria-label", label);
  button.append(icon(ICONS[control]));
  button.addEventListener("click", act);
  return button;
}

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [["day", 86400], ["hour", 3600], ["minute", 60]];
const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

function ago(time: string): string {
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  if (seconds > 30 * 86400) return new Date(time).toLocaleDateString("en", { dateStyle: "medium" });
  for (const [unit, size] of UNITS) {
    if (seconds >= size) return RELATIVE.format(-Math.floor(seconds / size), unit);
  }
  return "just now";
}
