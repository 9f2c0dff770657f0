// One message on the page. A part has one node, made once and updated while the answer streams.

import type { Siblings } from "./branches.ts";
import { approvalButtons, type Decide, waitsForPerson } from "./approvals.ts";
import { clock } from "./dates.ts";
import { button, element, icon } from "./dom.ts";
import { anchor } from "./markdown/nodes.ts";
import { MarkdownView } from "./markdown/view.ts";
import type { Details, Message, Part } from "./types.ts";

/** What shows one part. */
interface PartView {
  root: HTMLElement;
  update(part: Part): void;
}

const STATES: Record<string, string> = {
  "input-streaming": "calling…",
  "input-available": "running…",
  "output-available": "done",
  "output-error": "failed",
  "approval-requested": "waits for approval",
  "approval-responded": "approval answered",
  "output-denied": "denied",
};

/** What a message's buttons do. */
export interface MessageActions {
  edit(message: Message): void;
  again(message: Message): void;
  /** Says of a call that waits whether it may run. */
  decide(message: Message, part: Part, approved: boolean): void;
  goOn(): void;
  show(id: string): void;
}

const ICONS = {
  copy: "M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z",
  edit: "M3 13l.6-2.8L10.8 3l2.2 2.2-7.2 7.2z",
  again: "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.5V6H9.5",
  left: "M10 3 5 8l5 5",
  right: "M6 3l5 5-5 5",
};

/** Shows a UIMessage; `update` draws the parts that came or changed. */
export class MessageView {
  readonly root: HTMLElement;
  message: Message;
  private readonly _body = element("div", "body");
  private readonly _badge = element("p", "badge");
  private readonly _ways = element("span", "ways");
  private readonly _pending = element("p", "badge pending");
  private readonly _foot = element("div", "foot");
  private readonly _branches = element("span", "branches");
  private readonly _facts = element("span", "facts");
  private readonly _views = new Map<Part, PartView | null>();

  constructor(
    message: Message,
    private readonly _actions: MessageActions,
  ) {
    this.message = message;
    this.root = element("article", `message ${message.role}`);
    this.root.dataset.id = message.id;
    this.root.setAttribute("aria-label", message.role === "user" ? "You" : "Assistant");
    this._badge.hidden = true;
    this._ways.hidden = true;
    this._ways.append(
      button("button", "Try again", () => this._actions.again(this.message)),
      button("button", "Continue", () => this._actions.goOn()),
    );
    this._pending.hidden = true;
    this._branches.hidden = true;
    this._foot.append(this._branches, ...this._buttons(), this._facts);
    const ways = message.role === "user" ? [] : [this._ways];
    this.root.append(this._body, this._badge, ...ways, this._pending, this._foot);
    this.update(message);
  }

  /** With `changed`, only this part is drawn again. */
  update(message: Message, changed?: Part): void {
    this.message = message;
    this.root.dataset.id = message.id;
    for (const part of changed ? [changed] : message.parts) {
      if (!this._views.has(part)) {
        const view = viewOf(part, message.role, (each, approved) => this._actions.decide(this.message, each, approved));
        this._views.set(part, view);
        if (view) this._body.append(view.root);
      }
      this._views.get(part)?.update(part);
    }
    const status = message.metadata?.status ?? "";
    const ended = ENDINGS[status];
    this._badge.hidden = ended === undefined;
    this._badge.dataset.status = status;
    this._badge.textContent = ended?.[this.isEmpty ? 1 : 0] ?? "";
    // The style shows them on the last message only.
    this._ways.hidden = ended === undefined;
    const details = message.metadata?.pgthreads;
    if (details) this.setDetails(details);
  }

  /** Says when it came, of which model, in what time and with how many tokens, as far as it is known. */
  setDetails(details: Details): void {
    this._facts.replaceChildren(...facts(details));
  }

  /** Whether it has nothing to be seen. */
  get isEmpty(): boolean {
    return ![...this._views].some(([part, view]) => view !== null && part.text !== "");
  }

  /** All of its text, as it was written. */
  get text(): string {
    const texts = this.message.parts.filter((part) => part.type === "text");
    return texts.map((part) => part.text ?? "").join("\n\n");
  }

  /** Says what it waits for; `cancel` takes it back. */
  setPending(text: string, cancel?: () => void): void {
    this._pending.hidden = text === "";
    this._pending.replaceChildren(text);
    if (cancel) this._pending.append(" ", button("link", "Cancel", cancel));
    this.root.classList.toggle("waiting", text !== "");
  }

  /** Shows that there are other messages in its place. */
  setSiblings(siblings: Siblings | null): void {
    this._branches.hidden = siblings === null;
    if (siblings === null) return;
    const { at, ids } = siblings;
    const step = (name: "left" | "right", label: string, to: number) => {
      const made = iconButton(name, label, () => this._actions.show(ids[to] ?? ""));
      made.disabled = ids[to] === undefined;
      return made;
    };
    this._branches.replaceChildren(
      step("left", "The version before", at - 1),
      element("span", "", `${at + 1}/${ids.length}`),
      step("right", "The version after", at + 1),
    );
  }

  private _buttons(): HTMLElement[] {
    const copy = iconButton("copy", "Copy the message", async () => {
      await navigator.clipboard.writeText(this.text);
      copy.classList.add("done");
      setTimeout(() => copy.classList.remove("done"), 1200);
    });
    const isUser = this.message.role === "user";
    const other = isUser
      ? iconButton("edit", "Edit the message", () => this._actions.edit(this.message))
      : iconButton("again", "Answer again", () => this._actions.again(this.message));
    other.dataset.action = isUser ? "edit" : "again";
    copy.dataset.action = "copy";
    return [copy, other];
  }
}

function facts({ createdAt, model, durationMs, usage }: Details): (Node | string)[] {
  const found: (Node | string)[] = [];
  if (createdAt !== undefined) {
    const time = element("time", "", clock(createdAt));
    time.dateTime = createdAt;
    time.title = new Date(createdAt).toLocaleString();
    found.push(time);
  }
  if (model !== undefined) found.push(model);
  if (durationMs !== undefined) found.push(`${(durationMs / 1000).toFixed(1)} s`);
  const counts = [usage?.input_tokens ?? usage?.inputTokens, usage?.output_tokens ?? usage?.outputTokens];
  const tokens = counts.reduce<number>((sum, count) => sum + (Number(count) || 0), 0);
  if (tokens > 0) found.push(`${tokens.toLocaleString("en")} tokens`);
  return found.flatMap((fact, at) => (at === 0 ? [fact] : [" · ", fact]));
}

/** What is said of an answer by its status: with something in it, and with nothing. */
const ENDINGS: Record<string, [string, string]> = {
  stopped: ["Stopped", "Stopped before anything came"],
  failed: ["Failed: this is what came so far", "Failed before anything came"],
  abandoned: ["The server went away: this is what came so far", "The server went away before anything came"],
};

function iconButton(name: keyof typeof ICONS, label: string, act: () => void): HTMLButtonElement {
  const made = button("icon small", "", act);
  made.setAttribute("aria-label", label);
  made.title = label;
  made.append(icon(ICONS[name]));
  return made;
}

function viewOf(part: Part, role: string, decide: Decide): PartView | null {
  if (part.type === "text") return role === "user" ? plainText() : richText();
  if (part.type === "reasoning") return reasoning();
  if (part.type === "dynamic-tool" || part.type.startsWith("tool-")) return tool(part, decide);
  if (part.type === "file") return file();
  if (part.type === "source-url" || part.type === "source-document") return source();
  if (part.type.startsWith("data-")) return data();
  return null;
}

function plainText(): PartView {
  const root = element("p", "plain");
  root.dir = "auto";
  return { root, update: (part) => void (root.textContent = part.text ?? "") };
}

function richText(): PartView {
  const root = element("div", "prose");
  const view = new MarkdownView(root);
  return { root, update: (part) => view.update(part.text ?? "", part.state !== "streaming") };
}

function reasoning(): PartView {
  const root = element("details", "reasoning");
  const summary = element("summary", "", "Reasoning");
  const text = element("p", "plain");
  text.dir = "auto";
  root.append(summary, text);
  let wasStreaming = false;
  return {
    root,
    update(part) {
      text.textContent = part.text ?? "";
      const streaming = part.state === "streaming";
      // Open while it comes, closed once; a reader who opens it again keeps it open.
      if (streaming !== wasStreaming) root.open = wasStreaming = streaming;
    },
  };
}

function tool(part: Part, decide: Decide): PartView {
  const root = element("details", "tool");
  const summary = element("summary");
  const state = element("span", "state");
  const name = part.toolName ?? part.type.slice("tool-".length);
  summary.append(element("code", "", name), state);
  const fields = element("dl");
  const actions = element("div");
  root.append(summary, fields, actions);
  return {
    root,
    update(now) {
      root.dataset.state = now.state ?? "";
      state.textContent = now.preliminary ? "running…" : (STATES[now.state ?? ""] ?? now.state ?? "");
      if (now.state === "output-error") root.open = true;
      fields.replaceChildren();
      const shown = { Input: now.input, Output: now.output, Error: now.errorText };
      for (const [label, value] of Object.entries(shown)) {
        if (value === undefined) continue;
        const pre = element("pre", "", typeof value === "string" ? value : JSON.stringify(value, null, 2));
        pre.tabIndex = 0;
        const description = element("dd");
        description.append(pre);
        fields.append(element("dt", "", label), description);
      }
      const waits = waitsForPerson(now);
      // The same buttons stay, so that no click is lost between two drawings.
      if (waits === actions.hasChildNodes()) return;
      if (waits) root.open = true;
      actions.replaceChildren(...(waits ? [approvalButtons(now, decide)] : []));
    },
  };
}

function file(): PartView {
  const root = element("figure", "file");
  return {
    root,
    update({ filename, mediaType = "", url = "" }) {
      const name = filename ?? mediaType;
      // Only what came inside the message: a picture from elsewhere would tell its server who reads.
      if (mediaType.startsWith("image/") && url.startsWith("data:image/")) {
        const image = element("img");
        image.src = url;
        image.alt = name;
        root.replaceChildren(image);
      } else {
        root.replaceChildren(anchor(url, name));
      }
    },
  };
}

function source(): PartView {
  const root = element("p", "source");
  return {
    root,
    update: (part) => root.replaceChildren("Source: ", anchor(part.url ?? "", part.title ?? part.url ?? "")),
  };
}

function data(): PartView {
  const root = element("pre", "data");
  return {
    root,
    update: (part) => void (root.textContent = `${part.type} ${JSON.stringify(part.data, null, 2)}`),
  };
}
