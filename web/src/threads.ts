// The list of threads: a page at a time, the latest first, asked for again while something runs; or
// those that are archived, or what a search finds.

import { ago, groupOf } from "./dates.ts";
import { askTitle, confirmDelete } from "./dialogs.ts";
import type { Api } from "./api.ts";
import { button, byId, element, icon } from "./dom.ts";
import { type Item, openMenu } from "./menu.ts";
import { exportThread, shareThread } from "./sharing.ts";
import type { Hit, Thread, ThreadPage } from "./types.ts";

const POLL_MS = 3000;
const TYPING_MS = 200;
const SOON_MS = 100;
const DOTS = "M3.2 8h.1M8 8h.1M12.8 8h.1";

interface Handlers {
  onChange(): void;
  onDeleted(key: string): void;
  onError(error: unknown): void;
  /** The list could not be read. */
  onTrouble(error: unknown): void;
}

export class ThreadList {
  private readonly _list = byId("threads");
  private readonly _more = byId("more-threads");
  private readonly _empty = byId("no-threads");
  private readonly _search = byId<HTMLInputElement>("search");
  private readonly _archive = byId("archive");
  private _threads = new Map<string, Thread>();
  /** Threads that are not on the pages that are shown. */
  private readonly _others = new Map<string, Thread>();
  private _hits: Hit[] | null = null;
  private _cursor: string | undefined = undefined;
  private _pages = 1;
  private _asked = 0;
  private _timer = 0;
  private _typing = 0;
  private _soon = 0;
  private _isArchive = false;
  private _current = "";

  constructor(
    private readonly _api: Api,
    private readonly _handlers: Handlers,
  ) {
    this._list.addEventListener("keydown", (event) => this._move(event));
    this._more.addEventListener("click", () => this._loadMore());
    this._archive.addEventListener("click", () => {
      this._isArchive = !this._isArchive;
      this._archive.setAttribute("aria-pressed", String(this._isArchive));
      this._pages = 1;
      this._clearSearch();
      void this.refresh();
    });
    this._search.addEventListener("input", () => {
      clearTimeout(this._typing);
      this._typing = setTimeout(() => this.refresh(), TYPING_MS);
    });
    this._search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this._search.value !== "") {
        event.stopPropagation();
        this._clearSearch();
        void this.refresh();
      } else if (event.key === "ArrowDown" || event.key === "Enter") {
        event.preventDefault();
        const first = this._list.querySelector<HTMLElement>("[data-control=open]");
        first?.focus();
        if (event.key === "Enter") first?.click();
      }
    });
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.refresh();
    });
  }

  get current(): string {
    return this._current;
  }

  set current(key: string) {
    this._current = key;
  }

  title(key: string): string | null {
    return this._thread(key)?.title ?? null;
  }

  select(key: string): void {
    this._current = key;
    this._draw();
    void this._readHeader();
  }

  focusSearch(): void {
    this._search.focus();
    this._search.select();
  }

  /** What can be done with a thread. */
  actions(key: string): Item[] {
    const title = this.title(key) ?? "Untitled";
    const archived = this._thread(key)?.archived ?? false;
    return [
      ["Rename", () => void this._rename(key)],
      [archived ? "Take out of the archive" : "Archive", () => void this._setArchived(key, !archived)],
      ["Share", () => void shareThread(this._api, key, this._handlers.onError)],
      ["Export as Markdown", () => void this._export(key, "markdown")],
      ["Export as JSON", () => void this._export(key, "json")],
      ["Delete", () => void this._delete(key, title), true],
    ];
  }

  /** Refreshes once, however many changes come together. */
  refreshSoon(): void {
    if (this._soon !== 0) return;
    this._soon = setTimeout(() => {
      this._soon = 0;
      void this.refresh();
    }, SOON_MS);
  }

  /** Asks for the pages that are shown again. The latest call wins. */
  async refresh(): Promise<void> {
    const asked = ++this._asked;
    clearTimeout(this._timer);
    const query = this._search.value.trim();
    const threads = new Map<string, Thread>();
    let hits: Hit[] | null = null;
    let cursor: string | undefined;
    try {
      if (query !== "") hits = (await this._api.search(query)).threads;
      else {
        for (let page = 0; page < this._pages; page += 1) {
          const answer: ThreadPage = await this._api.listThreads(cursor, this._isArchive);
          for (const thread of answer.threads) threads.set(thread.stateKey, thread);
          cursor = answer.nextCursor;
          if (cursor === undefined) break;
        }
      }
    } catch (error) {
      if (asked === this._asked) this._handlers.onTrouble(error);
      return;
    }
    if (asked !== this._asked) return;
    this._hits = hits;
    this._cursor = cursor;
    if (hits === null) this._threads = threads;
    this._draw();
    this._handlers.onChange();
    void this._readHeader();
    if (!document.hidden && [...threads.values()].some((thread) => thread.running)) {
      this._timer = setTimeout(() => this.refresh(), POLL_MS);
    }
  }

  /** The open thread may be on none of the pages that are shown. */
  private async _readHeader(): Promise<void> {
    const key = this._current;
    if (key === "" || this._threads.has(key)) return;
    try {
      this._others.set(key, await this._api.readHeader(key));
    } catch {
      // It is new, or whatever keeps it from being read is said elsewhere.
      return;
    }
    this._handlers.onChange();
  }

  private _thread(key: string): Thread | undefined {
    return this._threads.get(key) ?? this._others.get(key);
  }

  private _clearSearch(): void {
    this._search.value = "";
    this._hits = null;
  }

  private async _loadMore(): Promise<void> {
    const rows = this._rows().length;
    this._pages += 1;
    await this.refresh();
    // The button may be gone now, and the focus with it.
    if (document.activeElement === document.body) {
      const row = this._rows()[rows] ?? this._rows().at(-1);
      row?.querySelector("a")?.focus();
    }
  }

  // ---- drawing

  private _rows(): Element[] {
    return [...this._list.querySelectorAll("li")];
  }

  private _draw(): void {
    const focused = document.activeElement?.closest<HTMLElement>("#threads li")?.dataset.key;
    const control = (document.activeElement as HTMLElement | null)?.dataset.control;
    const groups = new Map<string, HTMLElement[]>();
    const add = (name: string, row: HTMLElement) => groups.set(name, [...(groups.get(name) ?? []), row]);
    if (this._hits !== null) for (const hit of this._hits) add("Found", this._row(hit, found(hit)));
    else {
      for (const thread of this._threads.values()) {
        add(this._isArchive ? "Archive" : groupOf(thread.updatedAt), this._row(thread, [about(thread)]));
      }
    }
    this._list.replaceChildren(
      ...[...groups].flatMap(([name, rows]) => {
        const list = element("ul");
        list.setAttribute("aria-label", name);
        list.append(...rows);
        const heading = element("p", "group", name);
        heading.ariaHidden = "true";
        return [heading, list];
      }),
    );
    this._more.hidden = this._hits !== null || this._cursor === undefined;
    this._empty.hidden = groups.size > 0;
    this._empty.textContent =
      this._hits !== null ? "Nothing was found." : this._isArchive ? "The archive is empty." : "No threads yet.";
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
    const key = row.dataset.key ?? "";
    const controls = [...row.querySelectorAll<HTMLElement>("[data-control]")];
    const place = controls.indexOf(at as HTMLElement);
    const rows = this._rows();
    const line = rows.indexOf(row);
    const inRow = (to: Element | undefined) => to?.querySelector<HTMLElement>("[data-control=open]");
    const target = {
      ArrowDown: inRow(rows[line + 1]),
      ArrowUp: line === 0 ? this._search : inRow(rows[line - 1]),
      Home: inRow(rows[0]),
      End: inRow(rows.at(-1)),
      ArrowRight: controls[place + 1],
      ArrowLeft: controls[place - 1],
    }[event.key];
    if (event.key === "F2") void this._rename(key);
    else if (event.key === "Delete") void this._delete(key, this.title(key) ?? "Untitled");
    else if (!target) return;
    event.preventDefault();
    target?.focus();
    this._setStop();
  }

  private _row(thread: Thread | Hit, below: (Node | string)[]): HTMLElement {
    const title = thread.title ?? "Untitled";
    const row = element("li");
    row.dataset.key = thread.stateKey;
    const anchor = element("a");
    anchor.href = `#${thread.stateKey}`;
    anchor.dataset.control = "open";
    if (thread.stateKey === this._current) anchor.setAttribute("aria-current", "page");
    const name = element("span", "name", title);
    name.dir = "auto";
    const when = element("span", "when");
    when.append(...below);
    anchor.append(name, when);
    if ("running" in thread && (thread.running || thread.waiting)) {
      const dot = element("span", thread.running ? "dot" : "dot waits");
      dot.setAttribute("role", "img");
      dot.setAttribute("aria-label", thread.running ? "running" : "waiting");
      anchor.append(dot);
    }
    const more: HTMLButtonElement = button("icon small", "", () => openMenu(more, this.actions(thread.stateKey)));
    // The arrows lead here.
    more.tabIndex = -1;
    more.dataset.control = "menu";
    more.setAttribute("aria-label", `Actions for ${title}`);
    more.setAttribute("aria-haspopup", "menu");
    more.append(icon(DOTS));
    row.append(anchor, more);
    return row;
  }

  // ---- changing

  private async _rename(key: string): Promise<void> {
    const title = await askTitle(this.title(key) ?? "");
    if (title !== null) await this._change(() => this._api.updateThread(key, { title }));
  }

  private async _setArchived(key: string, archived: boolean): Promise<void> {
    await this._change(() => this._api.updateThread(key, { archived }));
  }

  private async _delete(key: string, title: string): Promise<void> {
    if (!(await confirmDelete(title))) return;
    await this._change(async () => {
      await this._api.deleteThread(key);
      this._others.delete(key);
      this._handlers.onDeleted(key);
    });
  }

  private async _export(key: string, format: "markdown" | "json"): Promise<void> {
    try {
      await exportThread(this._api, key, format);
    } catch (error) {
      this._handlers.onError(error);
    }
  }

  private async _change(act: () => Promise<unknown>): Promise<void> {
    try {
      await act();
    } catch (error) {
      this._handlers.onError(error);
    }
    await this.refresh();
  }
}

function about(thread: Thread): string {
  const count = thread.messageCount === 1 ? "1 message" : `${thread.messageCount} messages`;
  return `${ago(thread.updatedAt)} · ${count}`;
}

/** What was found, as text; what the server puts between asterisks is marked. */
function found({ snippet, updatedAt }: Hit): (Node | string)[] {
  if (!snippet) return [ago(updatedAt)];
  return snippet.split("**").map((text, at) => (at % 2 === 0 ? text : element("mark", "", text)));
}
