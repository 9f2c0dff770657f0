// Markdown to tokens: CommonMark, tables, strikethrough and bare links as markdown-it has them, and
// TeX and footnotes by the rules below. HTML in it is text.

import MarkdownIt from "markdown-it";

export const parser = new MarkdownIt({ html: false, linkify: true, breaks: true });

const PICTURE = /^data:image\/(?:png|gif|jpeg|webp|avif);/i;

// A relative address would lead into this server, and "#" to another thread.
parser.validateLink = (url) => /^(?:https?:\/\/|mailto:)/i.test(url.trim()) || PICTURE.test(url.trim());

// ---- TeX: $…$, $$…$$, \(…\), \[…\]

parser.inline.ruler.before("escape", "math", (state, silent) => {
  const { src, pos } = state;
  const first = src.charCodeAt(pos);
  if (first !== 0x24 && first !== 0x5c) return false;
  const found = mathAt(src, pos, state.posMax);
  if (found === null) return false;
  if (!silent) {
    const token = state.push(found.display ? "math_display" : "math_inline", "", 0);
    token.content = found.tex;
  }
  state.pos = found.end;
  return true;
});

const CLOSERS: Record<string, string> = { "$$": "$$", "\\(": "\\)", "\\[": "\\]" };

/** How far a formula is looked for, so that many single dollars cost no more than that each. */
const MAX_INLINE = 1000;

function mathAt(src: string, pos: number, max: number) {
  const opener = src.slice(pos, pos + 2);
  const closer = CLOSERS[opener];
  const limit = Math.min(max, pos + MAX_INLINE);
  if (closer !== undefined) {
    const end = src.slice(pos + 2, limit).indexOf(closer);
    if (end < 1) return null;
    const tex = src.slice(pos + 2, pos + 2 + end);
    return { tex, display: opener !== "\\(", end: pos + end + 4 };
  }
  // As pandoc has it, so that "$5 and $6" is no formula.
  if (opener[0] !== "$" || !/^\$[^\s$]/.test(opener)) return null;
  for (let at = pos + 1; at < limit; at += 1) {
    const letter = src[at];
    if (letter === "\\") at += 1;
    else if (letter === "\n" && src[at + 1] === "\n") return null;
    else if (letter === "$") {
      if (/\s/.test(src[at - 1] ?? "") || /[0-9$]/.test(src[at + 1] ?? "")) return null;
      return { tex: src.slice(pos + 1, at), display: false, end: at + 1 };
    }
  }
  return null;
}

parser.block.ruler.before(
  "fence",
  "math_block",
  (state, startLine, endLine, silent) => {
    const start = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
    if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
    const opener = state.src.slice(start, start + 2);
    if (opener !== "$$" && opener !== "\\[") return false;
    const closer = CLOSERS[opener] ?? "";
    const lines = [];
    for (let line = startLine; line < endLine; line += 1) {
      const from = line === startLine ? start + 2 : (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
      const text = state.src.slice(from, state.eMarks[line]).trimEnd();
      if (line > startLine && (state.sCount[line] ?? 0) < state.blkIndent) return false;
      const close = text.indexOf(closer);
      if (close >= 0) {
        if (close + 2 < text.length) return false;
        if (silent) return true;
        lines.push(text.slice(0, close));
        const token = state.push("math_block", "", 0);
        token.content = lines.join("\n").trim();
        token.map = [startLine, line + 1];
        state.line = line + 1;
        return true;
      }
      if (text === "" && line > startLine) return false;
      lines.push(text);
    }
    return false;
  },
  { alt: ["paragraph", "blockquote", "list"] },
);

// ---- Footnotes: [^label] and [^label]: text. Whether a label is defined is known only later, while
// the answer streams, so the view finds the two together.

parser.inline.ruler.before("link", "footnote_ref", (state, silent) => {
  if (state.src.charCodeAt(state.pos) !== 0x5b || state.src[state.pos + 1] !== "^") return false;
  const found = /^\[\^([^\s\]^]{1,40})\]/.exec(state.src.slice(state.pos, state.pos + 44));
  if (found === null) return false;
  if (!silent) state.push("footnote_ref", "", 0).meta = { label: found[1] };
  state.pos += found[0].length;
  return true;
});

parser.block.ruler.before(
  "reference",
  "footnote",
  (state, startLine, endLine, silent) => {
    const start = (state.bMarks[startLine] ?? 0) + (state.tShift[startLine] ?? 0);
    if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
    const line = state.src.slice(start, state.eMarks[startLine]);
    const found = /^\[\^([^\s\]^]{1,40})\]:[ \t]*/.exec(line);
    if (found === null) return false;
    if (silent) return true;
    const lines = [line.slice(found[0].length)];
    let next = startLine + 1;
    for (; next < endLine; next += 1) {
      const text = state.src.slice(
        (state.bMarks[next] ?? 0) + (state.tShift[next] ?? 0),
        state.eMarks[next],
      );
      if (text === "" || /^\[[^\]]+\]:/.test(text)) break;
      lines.push(text);
    }
    state.push("footnote_open", "aside", 1).meta = { label: found[1] };
    const inline = state.push("inline", "", 0);
    inline.content = lines.join("\n").trim();
    inline.children = [];
    inline.map = [startLine, next];
    state.push("footnote_close", "aside", -1);
    for (const token of state.tokens.slice(-3)) token.map = [startLine, next];
    state.line = next;
    return true;
  },
  { alt: ["paragraph"] },
);
