// One message on the page. A part has one node, made once and updated while the answer streams.

import { element } from "./dom.ts";
import { anchor } from "./markdown/nodes.ts";
import { MarkdownView } from "./markdown/view.ts";
import type { Message, Part } from "./types.ts";

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

/** Shows a UIMessage; `update` draws the parts that came or changed. */
export class MessageView {
  readonly root: HTMLElement;
  message: Message;
  private readonly _body = element("div", "body");
  private readonly _badge = element("p", "badge");
  private readonly _views = new Map<Part, PartView | null>();

  constructor(message: Message) {
    this.message = message;
    this.root = element("article", `message ${message.role}`);
    this.root.dataset.id = message.id;
    this.root.setAttribute("aria-label", message.role === "user" ? "You" : "Assistant");
    this._badge.hidden = true;
    this.root.append(this._body, this._badge);
    this.update(message);
  }

  /** With `changed`, only this part is drawn again. */
  update(message: Message, changed?: Part): void {
    this.message = message;
    this.root.dataset.id = message.id;
    for (const part of changed ? [changed] : message.parts) {
      if (!this._views.has(part)) {
        const view = viewOf(part, message.role);
        this._views.set(part, view);
        if (view) this._body.append(view.root);
      }
      this._views.get(part)?.update(part);
    }
    const status = message.metadata?.status;
    this._badge.hidden = status !== "stopped" && status !== "failed";
    this._badge.dataset.status = status ?? "";
    this._badge.textContent = status === "stopped" ? "Stopped" : "Failed: this is what came so far";
  }
}

function viewOf(part: Part, role: string): PartView | null {
  if (part.type === "text") return role === "user" ? plainText() : richText();
  if (part.type === "reasoning") return reasoning();
  if (part.type === "dynamic-tool" || part.type.startsWith("tool-")) return tool(part);
  if (part.type === "file") return file();
  if (part.type === "source-url" || part.type === "source-document") return source();
  if (part.type.startsWith("data-")) return data();
  return null;
}

function plainText(): PartView {
  const root = element("p", "plain");
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

function tool(part: Part): PartView {
  const root = element("details", "tool");
  const summary = element("summary");
  const state = element("span", "state");
  const name = part.toolName ?? part.type.slice("tool-".length);
  summary.append(element("code", "", name), state);
  const fields = element("dl");
  root.append(summary, fields);
  return {
    root,
    update(now) {
      root.dataset.state = now.state ?? "";
      state.textContent = STATES[now.state ?? ""] ?? now.state ?? "";
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
