// The open thread: what is stored, what streams, and what waits to be sent. The server owns the
// thread; the page sends one user message at a time and shows what it is told.

import { type Api, ApiError, isAbort, newId, type Question } from "./api.ts";
import { close, decide, runHere, undecide } from "./approvals.ts";
import { Branches } from "./branches.ts";
import type { Composer } from "./composer.ts";
import { type Connection, isTemporary } from "./connection.ts";
import { byId } from "./dom.ts";
import { MessageView } from "./message.ts";
import type { Notices } from "./notices.ts";
import type { Outbox, Pending } from "./outbox.ts";
import type { Scroll } from "./scroll.ts";
import { Assembler, readChunks } from "./stream.ts";
import type { Message, Part, Reading } from "./types.ts";

/** What a conversation works with. */
export interface Surroundings {
  api: Api;
  outbox: Outbox;
  connection: () => Connection;
  composer: Composer;
  notices: Notices;
  scroll: Scroll;
  /** Something happened that the list of threads should show. */
  onChange(): void;
  /** The address of the thread changes: it has got its first message. */
  onNamed(key: string): void;
  onStreaming(streaming: boolean): void;
  onStatus(text: string): void;
  /** There is something, or nothing, to be seen. */
  onShown(): void;
}

/** What is asked when an answer broke off. */
const GO_ON = "Go on from where you stopped.";

export class Conversation {
  private readonly _log = byId("log");
  private readonly _earlier = byId("earlier");
  private readonly _views = new Map<string, MessageView>();
  private readonly _leave = new AbortController();
  private _before: number | undefined;
  private _branches: Branches | null = null;
  private _edited: Message | null = null;
  private _isStreaming = false;
  private _isSending = false;
  /** Calls that were decided on, and not sent yet. */
  private _decided: Part[] = [];
  /** What it shows may not be what is stored: the connection broke before the end. */
  private _isBroken = false;
  private _isLoading = false;
  /** The thread has changed since it was read. */
  private _isStale = false;
  private _isCatchingUp = false;

  constructor(
    private readonly _with: Surroundings,
    private _key: string,
    private readonly _leaf?: string,
  ) {
    this._log.replaceChildren();
    this._earlier.hidden = true;
  }

  get key(): string {
    return this._key;
  }

  get isStreaming(): boolean {
    return this._isStreaming;
  }

  get isEmpty(): boolean {
    return this._log.childElementCount === 0;
  }

  private get _hasLeft(): boolean {
    return this._leave.signal.aborted;
  }

  /** Stops looking at it. Its turn goes on. */
  leave(): void {
    this._leave.abort();
  }

  /** Shows what is stored, then the running answer, then sends what waits. */
  async load(): Promise<void> {
    if (this._key === "") return;
    this._isBroken = false;
    this._isLoading = true;
    try {
      const found = await this._read();
      if (this._hasLeft) return;
      if (found) this._showStored(found);
      this._showPending();
      if (found) {
        void this._readBranches();
        await this._follow();
      }
    } catch (error) {
      if (this._hasLeft || isAbort(error)) return;
      this._showPending();
      this._isBroken = true;
      if (isTemporary(error)) this._with.connection().failed(error);
      else this._with.notices.error(error, () => this.load());
      return;
    } finally {
      this._isLoading = false;
    }
    await this.deliver();
  }

  /** Shows what has changed in the thread, in whichever tab, as soon as nothing else is going on. */
  changed(): void {
    this._isStale = true;
    void this._catchUp();
  }

  private async _catchUp(): Promise<void> {
    if (!this._isStale || this._key === "" || this._leaf !== undefined || this._edited !== null) return;
    if (this._isCatchingUp || this._isLoading || this._isBusy || this._hasLeft || this._isBroken) return;
    this._isStale = false;
    this._isCatchingUp = true;
    try {
      await this._readChanges();
    } catch (error) {
      if (!(error instanceof ApiError) && !isAbort(error)) throw error;
      // The next change, or the next connection, tries again.
      this._isStale = true;
      return;
    } finally {
      this._isCatchingUp = false;
    }
    await this.deliver();
  }

  private async _readChanges(): Promise<void> {
    const tail = await this._with.api.readThread(this._key, { last: 2, signal: this._leave.signal });
    if (this._isTooLate()) return;
    const isNew = !this._endsWith(tail.messages);
    if (isNew) {
      const found = await this._read();
      if (this._isTooLate() || found === null) return;
      if (!this._goOnTo(found.messages)) {
        this.onOther();
        return;
      }
      this._with.notices.clear();
      void this._readBranches();
    }
    for (const message of tail.messages) {
      const view = this._views.get(message.id);
      if (view && message.role !== "user" && isOther(view.message, message)) this._upsert(message);
    }
    if (isNew) {
      await this._follow();
      return;
    }
    const response = await this._with.api.resume(this._key, this._leave.signal);
    if (response === null) return;
    if (this._isTooLate()) void response.body?.cancel();
    else await this._show(response);
  }

  /** Whether what was just read is older than what the page shows; then it is read again later. */
  private _isTooLate(): boolean {
    if (this._isBusy) this._isStale = true;
    return this._isBusy || this._hasLeft;
  }

  /** Whether something is being sent, or an answer streams. */
  private get _isBusy(): boolean {
    return this._isSending || this._isStreaming;
  }

  private _endsWith(messages: Message[]): boolean {
    const shown = this._shownIds();
    return messages.length <= shown.length && same(shown.slice(-messages.length), messages);
  }

  /** Adds what follows behind what is shown. Returns false if something else is shown. */
  private _goOnTo(messages: Message[]): boolean {
    const shown = this._shownIds();
    const last = messages.findIndex((message) => message.id === shown.at(-1));
    if (shown.length > 0 && last < 0) return false;
    const known = messages.slice(0, last + 1).slice(-shown.length || messages.length);
    if (!same(shown.slice(-known.length || shown.length), known)) return false;
    for (const message of messages.slice(last + 1)) this._upsert(message);
    this._with.onShown();
    return true;
  }

  private _shownIds(): string[] {
    const roots = [...this._log.querySelectorAll<HTMLElement>(".message:not(.waiting)")];
    return roots.map((root) => root.dataset.id ?? "");
  }

  /** Does again what the lost connection left undone. Returns whether it has to be opened again. */
  async resume(): Promise<boolean> {
    if (this._isBroken) return true;
    await this.deliver();
    return false;
  }

  private async _read(): Promise<Reading | null> {
    try {
      return await this._with.api.readThread(this._key, { leaf: this._leaf, signal: this._leave.signal });
    } catch (error) {
      if (codeOf(error) === "thread_not_found") return null;
      throw error;
    }
  }

  private _showStored(found: Reading): void {
    // The newest first, because the reader sees them first.
    for (const message of [...found.messages].reverse()) {
      if (this._views.has(message.id)) continue;
      const view = this._view(message);
      this._log.prepend(view.root);
    }
    this._noteEarlier(found);
    this._with.onShown();
    this._with.scroll.toEnd();
  }

  /** Notes where the page before the messages of this answer begins. */
  private _noteEarlier(found: Reading): void {
    this._before = found.before;
    this._earlier.hidden = found.before === undefined;
  }

  async loadEarlier(): Promise<void> {
    if (this._key === "") return;
    this._earlier.hidden = true;
    try {
      const found = await this._with.api.readThread(this._key, {
        before: this._before,
        leaf: this._leaf,
        signal: this._leave.signal,
      });
      if (this._hasLeft) return;
      const anchor = this._log.firstElementChild;
      this._with.scroll.keepFromEnd(() => {
        for (const message of found.messages) this._log.insertBefore(this._view(message).root, anchor);
      });
      this._noteEarlier(found);
      this._showSiblings();
    } catch (error) {
      if (!this._hasLeft) this._with.notices.error(error, () => this.loadEarlier());
    }
  }

  /** Reads the running turn, if there is one, from its start. */
  private async _follow(): Promise<void> {
    if (this._leaf !== undefined) return;
    const response = await this._with.api.resume(this._key, this._leave.signal);
    if (this._hasLeft) return;
    if (response !== null) {
      await this._show(response);
      return;
    }
    if (this._lastStored()?.role !== "user") return this._goOn();
    // It may have ended between the two requests.
    const found = await this._read();
    if (this._hasLeft || found === null) return;
    for (const message of found.messages) {
      if (!this._views.has(message.id)) this._upsert(message);
    }
    const last = this._lastStored();
    if (last?.role !== "user" || this._waiting().length > 0) return;
    this._with.notices.show("This message has no answer yet.", "", ["Ask for it", () => this._again(last)]);
  }

  // ---- sending

  /** Takes what is in the message field. Nothing of it is lost, whatever happens to the request. */
  send(): void {
    const { composer } = this._with;
    const parts = composer.parts();
    if (parts.length === 0) return;
    this.say(parts);
    composer.clear();
    composer.focus();
  }

  say(parts: Part[]): void {
    const { outbox, onNamed, onStatus } = this._with;
    if (this._key === "") {
      this._key = newId();
      onNamed(this._key);
    }
    const pending: Pending = { message: { id: newId(), role: "user", parts } };
    const edited = this._edited && this._views.get(this._edited.id);
    if (edited && !this._isStreaming) {
      pending.isEdit = true;
      pending.parentId = this._idBefore(edited);
      this._removeFrom(edited);
    } else if (!this._isStreaming && this._waiting().length === 0) {
      pending.parentId = this._lastView()?.message.id ?? "";
    }
    this._edited = null;
    if (!outbox.put(this._key, pending)) {
      onStatus("This browser has no room to keep the message: do not close this tab.");
    }
    this._showPending();
    this._with.scroll.toEnd();
    void this.deliver();
  }

  /** Puts one of the user's messages back into the field; it is asked anew from its place. */
  edit(message: Message): void {
    if (this._isStreaming) return;
    this._edited = message;
    this._with.composer.set("", []);
    this._with.composer.giveBack(message.parts);
    this._with.composer.focus();
    this._with.notices.show("You are editing an earlier message.", "The first version stays in the thread.", [
      "Cancel",
      () => this.cancelEdit(),
    ]);
  }

  /** Returns whether there was an edit. */
  cancelEdit(): boolean {
    if (this._edited === null) return false;
    this._edited = null;
    this._with.composer.clear();
    this._with.notices.clear();
    void this._catchUp();
    return true;
  }

  editLast(): void {
    const users = [...this._log.querySelectorAll<HTMLElement>(".message.user:not(.waiting)")];
    const view = this._views.get(users.at(-1)?.dataset.id ?? "");
    if (view) this.edit(view.message);
  }

  /** Sends the first message that waits, and shows its answer; then the next one. */
  async deliver(): Promise<void> {
    while (!this._hasLeft && !this._isSending && !this._isStreaming && !this._isCatchingUp) {
      const next = this._waiting()[0];
      if (next === undefined || !(await this._sendOne(next))) break;
    }
    await this._catchUp();
  }

  private async _sendOne(pending: Pending): Promise<boolean> {
    const { api, outbox, notices, onChange, onStatus } = this._with;
    const { message } = pending;
    const view = this._upsert(message);
    notices.clear();
    view.setPending("Sending…");
    this._isSending = true;
    onStatus("Waiting for the server…");
    const parentId = pending.isEdit ? pending.parentId : this._idBefore(view);
    try {
      const response = await api.send(this._key, { message, parentId }, this._leave.signal);
      outbox.remove(this._key, message.id);
      this._isSending = false;
      if (this._hasLeft) return false;
      view.setPending("");
      onChange();
      // What waited before this message waits no more.
      for (const each of this._views.values()) if (close(each.message)) each.update(each.message);
      await this._show(response);
      if (pending.isEdit) void this._readBranches();
      return !this._isBroken;
    } catch (error) {
      this._isSending = false;
      if (this._hasLeft || isAbort(error)) return false;
      onStatus("");
      if (isTemporary(error)) {
        view.setPending("Not sent yet.", () => this._takeBack(pending));
        this._with.connection().failed(error);
      } else if (codeOf(error) === "turn_running") {
        view.setPending("Not sent yet.", () => this._takeBack(pending));
        notices.error(error, () => this.deliver());
      } else {
        this._takeBack(pending);
        notices.error(error);
      }
      onChange();
      return false;
    }
  }

  /** Takes a message back that the server does not have; its text and files can be sent anew. */
  private _takeBack({ message }: Pending): void {
    this._with.outbox.remove(this._key, message.id);
    this._views.get(message.id)?.root.remove();
    this._views.delete(message.id);
    this._with.composer.giveBack(message.parts);
    this._with.composer.focus();
    this._with.onShown();
  }

  private _waiting(): Pending[] {
    return this._key === "" ? [] : this._with.outbox.list(this._key);
  }

  private _showPending(): void {
    for (const pending of this._waiting()) {
      if (this._views.get(pending.message.id)?.root.classList.contains("waiting") === false) {
        // It has arrived, though its response has not.
        this._with.outbox.remove(this._key, pending.message.id);
        continue;
      }
      const text = this._isStreaming ? "Waits until this answer has ended." : "Not sent yet.";
      this._upsert(pending.message).setPending(text, () => this._takeBack(pending));
    }
    this._with.onShown();
  }

  /** Asks for an answer once more, in place of the one that there is. */
  async again(answer: Message): Promise<void> {
    const view = this._views.get(answer.id);
    const before = view?.root.previousElementSibling as HTMLElement | null | undefined;
    const question = this._views.get(before?.dataset.id ?? "")?.message;
    if (!view || !question || question.role !== "user" || this._isStreaming) return;
    await this._again(question, answer.id);
  }

  private async _again(question: Message, answerId?: string): Promise<void> {
    const view = this._views.get(question.id);
    if (!view) return;
    const body: Question = { message: question, parentId: this._idBefore(view) };
    if (answerId !== undefined) {
      Object.assign(body, { trigger: "regenerate-message", messageId: answerId, turnId: newId() });
      body.messages = [question];
      delete body.message;
    }
    const ask = async (): Promise<void> => {
      this._with.notices.clear();
      this._with.onStatus("Waiting for the server…");
      try {
        const response = await this._with.api.send(this._key, body, this._leave.signal);
        if (this._hasLeft) return;
        const next = view.root.nextElementSibling as HTMLElement | null;
        const following = next && this._views.get(next.dataset.id ?? "");
        if (following) this._removeFrom(following);
        await this._show(response);
        void this._readBranches();
      } catch (error) {
        this._with.onStatus("");
        if (!this._hasLeft) this._with.notices.error(error, ask);
      }
    };
    await ask();
    await this.deliver();
  }

  async stop(): Promise<void> {
    this._with.onStatus("Stopping…");
    try {
      await this._with.api.stop(this._key);
    } catch (error) {
      // It ended a moment before.
      if (!this._hasLeft && codeOf(error) !== "no_turn") this._with.notices.error(error);
    }
  }

  // ---- calls that wait

  /** Several may be decided at once: what comes while others are sent is sent after them. */
  private async _decide(message: Message, part: Part, approved: boolean): Promise<void> {
    decide(part, approved);
    this._decided.push(part);
    this._views.get(message.id)?.update(message, part);
    if (!this._isSending && !this._isStreaming) await this._respond(message);
  }

  /** Responds to what waits for this browser in the last message, and to what was decided. */
  private async _goOn(): Promise<void> {
    const message = this._lastStored();
    if (this._leaf !== undefined || message === undefined) return;
    const ran = runHere(message);
    if (ran) this._views.get(message.id)?.update(message);
    if (ran || this._decided.length > 0) await this._respond(message);
  }

  /** Sends an answer with the responses in it, and shows how it goes on. */
  private async _respond(message: Message): Promise<void> {
    const body: Question = { messages: [message], messageId: message.id };
    const sent = this._decided;
    this._decided = [];
    this._isSending = true;
    try {
      const response = await this._with.api.send(this._key, body, this._leave.signal);
      this._isSending = false;
      if (this._hasLeft) return;
      this._with.notices.clear();
      await this._show(response, message);
    } catch (error) {
      this._isSending = false;
      if (this._hasLeft || isAbort(error)) return;
      for (const part of [...sent, ...this._decided.splice(0)]) undecide(part);
      this._views.get(message.id)?.update(message);
      this._with.notices.error(error, () => this._reload(message));
    }
    await this.deliver();
  }

  /** Shows a message again as it is stored. */
  private async _reload(message: Message): Promise<void> {
    const found = await this._read();
    const stored = found?.messages.find((each) => each.id === message.id);
    if (stored !== undefined && !this._hasLeft) this._upsert(stored);
  }

  // ---- streaming

  /** Shows a stream until its end. */
  private async _show(response: Response, begun?: Message): Promise<void> {
    const { onStatus, onChange, notices } = this._with;
    this._with.connection().works();
    this._setStreaming(true);
    if (this._waiting().length > 0) this._showPending();
    const assembler = new Assembler(begun);
    let view: MessageView | null = null;
    const draw = this._drawer((changed) => {
      const { message } = assembler;
      view ??= this._upsert(message);
      if (changed === null) view.update(message);
      else for (const part of changed) view.update(message, part);
      onStatus(assembler.status?.label ?? "");
    });
    try {
      for await (const chunk of readChunks(response.body as ReadableStream<Uint8Array>)) {
        if (this._hasLeft) return;
        draw(assembler.apply(chunk));
      }
      draw.now();
      this._setStreaming(false);
      onStatus("");
      // Its worker has died: only the thread knows what is left of the answer.
      const found = assembler.finished || assembler.error === null ? null : await this._read();
      if (this._hasLeft) return;
      for (const message of found?.messages ?? []) {
        if (message.id === assembler.message.id) assembler.message = this._upsert(message).message;
      }
      this._finish(assembler);
      onChange();
      void this._readDetails();
      if (assembler.finished) await this._goOn();
    } catch (error) {
      if (this._hasLeft || isAbort(error)) return;
      draw.now();
      this._setStreaming(false);
      onStatus("");
      this._isBroken = true;
      notices.clear();
      this._with.connection().failed(new ApiError(0, "broken", "The connection broke."));
    }
  }

  /** Asks what the server knows of the question and the answer that were added. */
  private async _readDetails(): Promise<void> {
    try {
      const { messages } = await this._with.api.readThread(this._key, { last: 2, signal: this._leave.signal });
      for (const { id, metadata } of messages) {
        if (metadata?.pgthreads) this._views.get(id)?.setDetails(metadata.pgthreads);
      }
    } catch (error) {
      // They are not needed.
      if (!(error instanceof ApiError) && !isAbort(error)) throw error;
    }
  }

  private _finish(assembler: Assembler): void {
    const { message, error } = assembler;
    const view = this._views.get(message.id);
    const answer = view && !view.isEmpty ? message : null;
    // Nothing of it is stored.
    if (view && answer === null) {
      view.root.remove();
      this._views.delete(message.id);
    }
    const question = this._lastStored();
    const retry = answer !== null ? () => this.again(answer) : question && (() => this._again(question));
    if (error !== null) this._with.notices.show(error, "", retry && ["Try again", retry]);
    else if (answer === null && retry && question?.role === "user") {
      this._with.notices.show("The answer is empty.", "", ["Try again", retry]);
    }
    // The waiting ones say what they wait for.
    if (this._waiting().length > 0) this._showPending();
  }

  /**
   * Collects changes and draws them once a frame; less often when drawing takes long, so that a long
   * answer does not freeze the page.
   */
  private _drawer(paint: (changed: Set<Part> | null) => void) {
    let changed = new Set<Part>();
    let whole = false;
    let timer = 0;
    let cost = 0;
    const now = () => {
      clearTimeout(timer);
      timer = 0;
      if (this._hasLeft) return;
      const begun = performance.now();
      paint(whole ? null : changed);
      changed = new Set<Part>();
      whole = false;
      cost = performance.now() - begun;
    };
    const draw = (part: Part | null) => {
      if (part === null) whole = true;
      else changed.add(part);
      if (timer === 0) timer = setTimeout(now, Math.max(30, 4 * cost));
    };
    return Object.assign(draw, { now });
  }

  // ---- the messages on the page

  private _view(message: Message): MessageView {
    const view = new MessageView(message, {
      edit: (each) => this.edit(each),
      again: (each) => void this.again(each),
      decide: (each, part, approved) => void this._decide(each, part, approved),
      goOn: () => this.say([{ type: "text", text: GO_ON }]),
      show: (id) => this._showBranch(id),
    });
    this._views.set(message.id, view);
    return view;
  }

  private _upsert(message: Message): MessageView {
    const known = this._views.get(message.id);
    if (known && (known.message === message || message.role === "user")) return known;
    const view = this._view(message);
    if (known !== undefined) known.root.replaceWith(view.root);
    else if (message.role === "user") this._log.append(view.root);
    // An answer comes before the messages that wait for its end.
    else this._log.insertBefore(view.root, this._log.querySelector(".waiting"));
    return view;
  }

  private _removeFrom(view: MessageView): void {
    const roots = [...this._log.children] as HTMLElement[];
    for (const root of roots.slice(roots.indexOf(view.root))) {
      this._views.delete(root.dataset.id ?? "");
      root.remove();
    }
  }

  private _idBefore(view: MessageView): string {
    return (view.root.previousElementSibling as HTMLElement | null)?.dataset.id ?? "";
  }

  private _lastView(): MessageView | undefined {
    return this._views.get((this._log.lastElementChild as HTMLElement | null)?.dataset.id ?? "");
  }

  private _lastStored(): Message | undefined {
    const roots = [...this._log.querySelectorAll<HTMLElement>(".message:not(.waiting)")];
    return this._views.get(roots.at(-1)?.dataset.id ?? "")?.message;
  }

  private _setStreaming(streaming: boolean): void {
    this._isStreaming = streaming;
    this._log.setAttribute("aria-busy", String(streaming));
    this._with.onStreaming(streaming);
  }

  /** Another branch is the newest one now: opens the thread again. */
  onOther: () => void = () => {};

  // ---- branches

  /** Opens the newest branch with this message. */
  onBranch: (leaf: string) => void = () => {};

  private _showBranch(id: string): void {
    const leaf = this._branches?.leaf(id);
    if (leaf !== undefined && !this._isStreaming) this.onBranch(leaf);
  }

  private async _readBranches(): Promise<void> {
    try {
      this._branches = await Branches.read(this._with.api, this._key, this._leave.signal);
      if (!this._hasLeft) this._showSiblings();
    } catch (error) {
      // The thread can be read without them.
      if (!(error instanceof ApiError) && !isAbort(error)) throw error;
    }
  }

  private _showSiblings(): void {
    const branches = this._branches;
    if (branches === null) return;
    for (const view of this._views.values()) {
      const parent = this._idBefore(view);
      const isCut = parent === "" && this._before !== undefined;
      view.setSiblings(isCut ? null : branches.siblings(parent, view.message.id));
    }
  }
}

function same(ids: string[], messages: Message[]): boolean {
  return ids.length === messages.length && messages.every((message, at) => message.id === ids[at]);
}

/** Whether an answer has become another one: it goes on, was approved, or has ended. */
function isOther(shown: Message, stored: Message): boolean {
  const state = ({ parts, metadata }: Message) =>
    JSON.stringify([
      metadata?.status,
      ...parts.map((part) => (part.toolCallId === undefined ? part.text?.length : part.state)),
    ]);
  return state(shown) !== state(stored);
}

export function codeOf(error: unknown): string {
  return error instanceof ApiError ? error.code : "";
}
