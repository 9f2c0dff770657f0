// The text of one part, as it grows. What has ended is drawn once and for good; only the last block
// is drawn again when more of it comes.

import type { Token } from "markdown-it";
import { element } from "../dom.ts";
import { isLate, later } from "../later.ts";
import { CodeBlock } from "./code.ts";
import { type Context, draw, Footnotes, languageOf } from "./nodes.ts";
import { parser } from "./parser.ts";

/** How much Markdown was parsed, in characters: what tests count instead of milliseconds. */
export const work = { parsed: 0 };

/** A piece of this length is parsed at once, if the text has a place to cut. */
const PIECE = 2000;

/** A longer paragraph is not parsed while it grows, and one twice as long never. */
const MAX_OPEN_PARAGRAPH = 16_000;

interface OpenFence {
  block: CodeBlock;
  /** The characters that it begins with. */
  marker: string;
  /** How much of the text was looked at. */
  taken: number;
}

export class MarkdownView {
  private _text = "";
  private _final = false;
  private _settled = 0;
  private _tail: ChildNode[] = [];
  private _fence: OpenFence | null = null;
  private _plain: Text | null = null;
  private _waiting = false;
  private _env = {};
  private _defined = 0;
  private _context: Context = { level: 1, footnotes: new Footnotes() };

  constructor(private readonly _root: HTMLElement) {}

  /** Shows a text that is longer than before. `final` says that no more of it comes. */
  update(text: string, final: boolean): void {
    if (text === this._text && final === this._final) return;
    this._text = text;
    this._final = final;
    if (!this._waiting) this._go();
  }

  private _go(): void {
    this._waiting = false;
    while (this._settled < this._text.length) {
      if (isLate()) {
        this._waiting = true;
        later(() => this._go());
        return;
      }
      if (this._growFence() || this._growPlain()) return;
      const cut = nextCut(this._text, this._settled);
      if (cut === null) {
        this._drawTail();
        break;
      }
      this._drop();
      this._root.append(...draw(this._parse(this._settled, cut), this._context));
      this._settled = cut;
    }
    if (this._final) this._finish();
  }

  private _parse(from: number, to: number): Token[] {
    const text = this._text.slice(from, to);
    work.parsed += text.length;
    return parser.parse(text, this._env);
  }

  private _drop(): void {
    for (const node of this._tail) node.remove();
    this._tail = [];
  }

  /** Draws what is left; all of its blocks but the last one have ended. */
  private _drawTail(): void {
    const from = this._settled;
    const rest = this._text.length - from;
    if (rest > MAX_OPEN_PARAGRAPH && (!this._final || rest > 2 * MAX_OPEN_PARAGRAPH) && isParagraph(this._text, from)) {
      this._drop();
      const paragraph = element("p", "plain", this._text.slice(from));
      this._plain = paragraph.firstChild as Text;
      this._tail = [paragraph];
      this._root.append(paragraph);
      return;
    }
    const tokens = this._parse(from, this._text.length);
    this._drop();
    const last = this._final ? tokens.length : lastBlock(tokens);
    this._root.append(...draw(tokens.slice(0, last), this._context));
    const open = tokens.slice(last);
    const first = open[0];
    if (first === undefined) {
      this._settled = this._text.length;
      return;
    }
    if (last > 0) this._settled = lineStart(this._text, from, first.map?.[0] ?? 0);
    const begun = first.type === "fence" ? openFence(this._text, this._settled) : null;
    if (begun !== null) {
      const block = new CodeBlock(languageOf(first));
      this._tail = [block.root];
      this._fence = { block, marker: begun, taken: this._settled };
      this._root.append(...this._tail);
      this._growFence();
      return;
    } else {
      const { level } = this._context;
      this._tail = draw(open, this._context) as ChildNode[];
      this._context.level = level;
    }
    this._root.append(...this._tail);
  }

  /** Lets an open block of code grow. Returns whether that was all there is to do. */
  private _growFence(): boolean {
    const fence = this._fence;
    if (fence === null) return false;
    // The line that was incomplete may have become the end.
    const from = Math.max(this._settled, this._text.lastIndexOf("\n", fence.taken - 1));
    const found = fenceEnd(this._text, from, fence.marker, this._final);
    if (found === null && !this._final) {
      // A line is shown once it is complete, because it may be the end.
      const complete = this._text.lastIndexOf("\n") + 1;
      if (complete > this._settled) fence.block.set(codeOf(this._text.slice(this._settled, complete)));
      fence.taken = this._text.length;
      return true;
    }
    const end = found === null ? this._text.length : found.index + found[0].length;
    const inside = this._text.slice(this._settled, found === null ? end : found.index + 1);
    fence.block.set(codeOf(inside));
    fence.block.finish();
    this._fence = null;
    this._tail = [];
    this._settled = end;
    return false;
  }

  /** Lets a very long paragraph grow. Returns whether that was all there is to do. */
  private _growPlain(): boolean {
    const plain = this._plain;
    if (plain === null) return false;
    const shown = plain.data.length;
    const end = this._text.indexOf("\n\n", this._settled + Math.max(0, shown - 1));
    if (end < 0 && !this._final) {
      plain.appendData(this._text.slice(this._settled + shown));
      return true;
    }
    this._plain = null;
    const stop = end < 0 ? this._text.length : end;
    if (stop - this._settled <= 2 * MAX_OPEN_PARAGRAPH) return false;
    plain.data = this._text.slice(this._settled, stop);
    this._tail = [];
    this._settled = stop;
    return false;
  }

  /** A link may have been used before the line that defines it. */
  private _finish(): void {
    const references = (this._env as { references?: object }).references ?? {};
    const defined = Object.keys(references).length;
    if (defined === this._defined) return;
    this._defined = defined;
    this._root.replaceChildren();
    this._settled = 0;
    this._context = { level: 1, footnotes: new Footnotes() };
    this._go();
  }
}

/** Where the last of the blocks at the top begins, as an index of its token. */
function lastBlock(tokens: Token[]): number {
  for (let at = tokens.length - 1; at >= 0; at -= 1) {
    const token = tokens[at];
    if (token?.level === 0 && token.nesting >= 0) return at;
  }
  return 0;
}

function lineStart(text: string, from: number, line: number): number {
  let at = from;
  for (let passed = 0; passed < line; passed += 1) at = text.indexOf("\n", at) + 1;
  return at;
}

const FENCE = /^ {0,3}(`{3,}|~{3,})[^\n]*\n/;

/** What the block of code that begins here begins with; null if it has ended. */
function openFence(text: string, from: number): string | null {
  const found = FENCE.exec(text.slice(from, from + 300));
  const marker = found?.[1];
  if (!found || marker === undefined) return null;
  return fenceEnd(text, from + found[0].length - 1, marker, false) === null ? marker : null;
}

/** The line that ends a block of code, with the line break before it. */
function fenceEnd(text: string, from: number, marker: string, final: boolean) {
  // While more may come, an incomplete line ends nothing.
  const end = final ? "(?:\\n|$)" : "\\n";
  const close = new RegExp(`\\n {0,3}${marker}${marker[0]}*[ \\t]*${end}`, "g");
  close.lastIndex = from;
  return close.exec(text);
}

/** The code of a block without its first line. */
function codeOf(block: string): string {
  return block.slice(block.indexOf("\n") + 1).replace(/\n$/, "");
}

function isParagraph(text: string, from: number): boolean {
  return /^[ \t]{0,3}[^\s`~#>|$\\[-]/.test(text.slice(from, from + 5)) && text.indexOf("\n\n", from) < 0;
}

/**
 * A place at least a piece away where a block begins that does not depend on what is before it: a
 * line of text or a heading after a blank line, outside of code and formulas. Null if there is none.
 */
function nextCut(text: string, from: number): number | null {
  let fence: string | null = null;
  let blank = false;
  for (let at = from; at < text.length; ) {
    const end = text.indexOf("\n", at);
    if (end < 0) return null;
    const line = text.slice(at, Math.min(end, at + 200));
    const mark = /^\s*(?:[-*+>]\s+|\d+[.)]\s+)*(`{3,}|~{3,}|\$\$)/.exec(line)?.[1];
    if (fence === null) {
      if (blank && at - from >= PIECE && /^(?:[\p{L}*_"'(]|#{1,6} )/u.test(line) && !/^[*+-] /.test(line)) return at;
      if (mark === "$$") fence = line.indexOf("$$", line.indexOf("$$") + 2) < 0 ? "$$" : null;
      else if (mark !== undefined) fence = mark;
    } else if (mark?.startsWith(fence)) {
      fence = null;
    }
    blank = line.trim() === "";
    at = end + 1;
  }
  return null;
}
