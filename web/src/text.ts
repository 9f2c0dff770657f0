// A little Markdown: paragraphs, headings, lists, code, bold. Model text only ever becomes text
// nodes, never markup, so nothing in it can run or load.

import { element } from "./dom.ts";

const INLINE = /`([^`\n]+)`|\*\*([^*\n]+)\*\*/g;

/** The text of one part. `update` may be called with ever longer text and redraws only its end. */
export class MarkdownView {
  private _settled = 0;
  private _tail: HTMLElement[] = [];

  constructor(private readonly _root: HTMLElement) {}

  update(text: string): void {
    for (const node of this._tail) node.remove();
    this._tail = [];
    // Blocks that a blank line has ended are drawn for good.
    for (const block of blocks(text, this._settled)) {
      const nodes = draw(block);
      this._root.append(...nodes);
      if (block.ended) this._settled = block.end;
      else this._tail.push(...nodes);
    }
  }
}

interface Block {
  lines?: string;
  code?: string;
  language?: string;
  end: number;
  ended: boolean;
}

/** Splits at blank lines outside of fenced code. */
function* blocks(text: string, from: number): Generator<Block> {
  while (from < text.length) {
    const fence: RegExpExecArray | null = /^ {0,3}(`{3,}|~{3,})([^\n`]*)(?:\n|$)/.exec(text.slice(from, from + 200));
    if (fence) {
      const start = from + fence[0].length;
      const close = new RegExp(`^ {0,3}${fence[1]}[${fence[1]?.[0]}]*[ \\t]*(?:\\n|$)`, "gm");
      close.lastIndex = start;
      const found = start <= text.length ? close.exec(text) : null;
      const end = found ? found.index + found[0].length : text.length;
      const code = text.slice(start, found ? found.index : end).replace(/\n$/, "");
      yield { code, language: (fence[2] ?? "").trim(), end, ended: found !== null && end < text.length };
      from = end;
      continue;
    }
    const stop = /\n[ \t]*\n|\n(?= {0,3}(?:```|~~~))/g;
    stop.lastIndex = from;
    const found = stop.exec(text);
    const end = found ? found.index + found[0].length : text.length;
    yield { lines: text.slice(from, found ? found.index : end), end, ended: found !== null };
    from = end;
  }
}

function draw({ code, language, lines = "" }: Block): HTMLElement[] {
  if (code !== undefined) {
    const pre = element("pre", "code");
    if (language) pre.dataset.language = language;
    pre.tabIndex = 0;
    pre.append(element("code", "", code));
    return [pre];
  }
  const nodes: HTMLElement[] = [];
  let list: HTMLElement | null = null;
  let paragraph: HTMLElement | null = null;
  for (const line of lines.split("\n")) {
    const item = /^\s*(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line);
    const heading = /^#{1,6}\s+(.*)$/.exec(line);
    if (item) {
      const tag = item[1] === undefined ? "UL" : "OL";
      if (list?.tagName !== tag) {
        const made = element(item[1] === undefined ? "ul" : "ol");
        if (made instanceof HTMLOListElement) made.start = Number(item[1]);
        list = made;
        nodes.push(list);
      }
      const entry = element("li");
      entry.append(...inline(item[2] ?? ""));
      list?.append(entry);
      paragraph = null;
    } else if (heading) {
      const title = element("p", "heading");
      title.append(...inline(heading[1] ?? ""));
      nodes.push(title);
      list = paragraph = null;
    } else if (line.trim() !== "") {
      if (list !== null && /^\s/.test(line)) {
        list.lastElementChild?.append(" ", ...inline(line.trim()));
        continue;
      }
      if (paragraph === null) nodes.push((paragraph = element("p")));
      else paragraph.append("\n");
      paragraph.append(...inline(line));
      list = null;
    }
  }
  return nodes;
}

function* inline(text: string): Generator<Node> {
  let from = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > from) yield document.createTextNode(text.slice(from, match.index));
    yield match[1] === undefined ? element("strong", "", match[2]) : element("code", "", match[1]);
    from = match.index + match[0].length;
  }
  if (from < text.length) yield document.createTextNode(text.slice(from));
}
