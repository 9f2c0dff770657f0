// Markdown's tokens to nodes. Model text only ever becomes text nodes and a few attributes that are
// checked here, never markup, so nothing in it can run or load.

import type { Token } from "markdown-it";
import { button, element } from "../dom.ts";
import { CodeBlock } from "./code.ts";
import { formula } from "./math.ts";

/** What the blocks of one text have in common. */
export interface Context {
  /** The level of the heading before, so that none is skipped; 1 is the page's own. */
  level: number;
  footnotes: Footnotes;
}

/** Finds footnotes and their marks together, whichever comes first. */
export class Footnotes {
  private _marks = new Map<string, HTMLElement[]>();
  private _notes = new Map<string, HTMLElement>();

  mark(label: string): HTMLElement {
    const mark = element("sup", "footnote-mark", `[^${label}]`);
    this._marks.set(label, [...(this._marks.get(label) ?? []), mark]);
    this._join(label);
    return mark;
  }

  note(label: string, note: HTMLElement): void {
    this._notes.set(label, note);
    note.tabIndex = -1;
    note.prepend(
      button("link", `${label}.`, () => this._marks.get(label)?.[0]?.querySelector("button")?.focus()),
      " ",
    );
    note.firstElementChild?.setAttribute("aria-label", `Back to where footnote ${label} is mentioned`);
    this._join(label);
  }

  private _join(label: string): void {
    if (!this._notes.has(label)) return;
    for (const mark of this._marks.get(label) ?? []) {
      if (mark.firstElementChild !== null) continue;
      const made = button("link", label, () => {
        const note = this._notes.get(label);
        note?.scrollIntoView({ block: "nearest" });
        note?.focus();
      });
      made.setAttribute("aria-label", `Footnote ${label}`);
      mark.replaceChildren(made);
    }
  }
}

const TAGS = {
  paragraph_open: "p",
  blockquote_open: "blockquote",
  bullet_list_open: "ul",
  ordered_list_open: "ol",
  list_item_open: "li",
  table_open: "table",
  thead_open: "thead",
  tbody_open: "tbody",
  tr_open: "tr",
  th_open: "th",
  td_open: "td",
  strong_open: "strong",
  em_open: "em",
  s_open: "s",
} as const;

/** The nodes of tokens that begin and end at the top. */
export function draw(tokens: Token[], context: Context): Node[] {
  const root = document.createDocumentFragment();
  const open: (ParentNode & Node)[] = [root];
  for (const token of tokens) {
    const parent = open.at(-1) ?? root;
    if (token.nesting === 1) {
      const node = opened(token, context);
      open.push(node ?? parent);
      if (node !== null) parent.append(outer(node));
    } else if (token.nesting === -1) {
      const node = open.pop();
      if (token.type === "footnote_close") context.footnotes.note(labelOf(node), node as HTMLElement);
    } else if (token.type === "inline") {
      parent.append(...draw(token.children ?? [], context));
      if (parent.nodeName === "LI" || parent.parentNode?.nodeName === "LI") markTask(parent);
    } else {
      parent.append(...leaf(token, context));
    }
  }
  return [...root.childNodes];
}

function labelOf(node: Node | undefined): string {
  return (node as HTMLElement | undefined)?.dataset.label ?? "";
}

function opened(token: Token, context: Context): HTMLElement | null {
  // The paragraph of an item in a list without blank lines.
  if (token.hidden) return null;
  if (token.type === "heading_open") {
    const wanted = Number(token.tag.slice(1));
    context.level = Math.min(context.level + 1, wanted + 1, 6);
    return element(`h${context.level}` as "h2", `heading level-${wanted}`);
  }
  if (token.type === "link_open") return anchor(String(token.attrGet("href") ?? ""));
  if (token.type === "footnote_open") {
    const note = element("div", "footnote");
    note.dataset.label = String(token.meta?.label);
    return note;
  }
  const tag = TAGS[token.type as keyof typeof TAGS];
  if (tag === undefined) return element("span");
  const node = element(tag);
  if (tag === "ol") (node as HTMLOListElement).start = Number(token.attrGet("start") ?? 1);
  if (tag === "th" || tag === "td") {
    const align = /(left|center|right)/.exec(String(token.attrGet("style") ?? ""))?.[1];
    if (align) node.className = align;
  }
  if (tag === "p" || tag === "blockquote" || tag === "ul" || tag === "ol" || tag === "table") {
    node.dir = "auto";
  }
  return node;
}

/** A table scrolls by itself if it is wider than the page. */
function outer(node: HTMLElement): HTMLElement {
  if (node.tagName !== "TABLE") return node;
  const frame = element("div", "table");
  frame.tabIndex = 0;
  frame.append(node);
  return frame;
}

function leaf(token: Token, context: Context): (Node | string)[] {
  switch (token.type) {
    case "text":
    case "text_special":
      return [token.content];
    case "code_inline":
      return [element("code", "", token.content)];
    case "softbreak":
    case "hardbreak":
      return [element("br")];
    case "hr":
      return [element("hr")];
    case "fence":
    case "code_block": {
      const block = new CodeBlock(languageOf(token));
      block.set(token.content.replace(/\n$/, ""));
      block.finish();
      return [block.root];
    }
    case "math_inline":
      return [formula(token.content, false)];
    case "math_display":
    case "math_block":
      return [formula(token.content, true)];
    case "image":
      return [picture(String(token.attrGet("src") ?? ""), token.content)];
    case "footnote_ref":
      return [context.footnotes.mark(String(token.meta?.label))];
    default:
      return [token.content];
  }
}

export function languageOf(token: Token): string {
  return /^[\w+#.-]{1,30}/.exec(token.info.trim())?.[0] ?? "";
}

function markTask(item: ParentNode & Node): void {
  const first = item.firstChild;
  if (!(first instanceof Text)) return;
  const found = /^\[([ xX])\](?:\s|$)/.exec(first.data);
  if (found === null) return;
  first.data = first.data.slice(found[0].length);
  const box = element("input");
  box.type = "checkbox";
  box.disabled = true;
  box.checked = found[1] !== " ";
  box.setAttribute("aria-label", box.checked ? "done" : "to do");
  first.before(box, " ");
  const entry = item.nodeName === "LI" ? item : item.parentNode;
  if (entry instanceof HTMLElement) entry.classList.add("task");
}

/** A link that leaves this page alone; a text if its address is of another kind. */
export function anchor(url: string, text?: string): HTMLElement {
  if (!/^(?:https?:\/\/|mailto:)/i.test(url)) return element("span", "filename", text);
  const link = element("a", "", text);
  link.href = url;
  link.target = "_blank";
  link.rel = "noopener noreferrer";
  return link;
}

// A picture from elsewhere would tell its server who reads, so it is a link.
function picture(url: string, name: string): HTMLElement {
  const isOurs = url.startsWith(`${location.origin}/`) || /^data:image\//i.test(url);
  if (!isOurs) return anchor(url, name || url);
  const image = element("img");
  image.src = url;
  image.alt = name;
  image.loading = "lazy";
  return image;
}
