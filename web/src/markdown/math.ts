// TeX to MathML nodes. KaTeX gives a tree; only elements and attributes that are listed here reach
// the page, so there are no links, pictures or styles in it.

import type * as Katex from "katex-mathml";
import type { MathTree } from "katex-mathml";
import { element } from "../dom.ts";

// As `import` it would be run with the page, which most threads do not need; the bundle has it anyway.
declare const require: (name: "katex-mathml") => typeof Katex;

const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const MAX_TEX = 4000;
const ELEMENTS = new Set(
  ("mtext mn mo mi mspace mover munder munderover msup msub msubsup mfrac mroot msqrt mtable mtr mtd" +
    " mrow menclose mstyle mpadded mphantom").split(" "),
);
const ATTRIBUTES = new Set(
  ("accent accentunder columnalign columnlines columnspacing depth displaystyle fence height largeop" +
    " linethickness lspace mathbackground mathcolor mathsize maxsize minsize notation rowlines" +
    " rowspacing rspace scriptlevel separator stretchy voffset width").split(" "),
);

/** Where each alphabet of `mathvariant` has A, a and 0 in Unicode; browsers know only the letters. */
const ALPHABETS: Record<string, [number, number, number?]> = {
  bold: [0x1d400, 0x1d41a, 0x1d7ce],
  italic: [0x1d434, 0x1d44e],
  "bold-italic": [0x1d468, 0x1d482],
  script: [0x1d49c, 0x1d4b6],
  fraktur: [0x1d504, 0x1d51e],
  "double-struck": [0x1d538, 0x1d552, 0x1d7d8],
  "sans-serif": [0x1d5a0, 0x1d5ba, 0x1d7e2],
  "bold-sans-serif": [0x1d5d4, 0x1d5ee, 0x1d7ec],
  "sans-serif-italic": [0x1d608, 0x1d622],
  "sans-serif-bold-italic": [0x1d63c, 0x1d656],
  monospace: [0x1d670, 0x1d68a, 0x1d7f6],
};

/** The letters that Unicode had before the alphabets, and that are missing in them. */
const OLDER: Record<string, string> = {
  italich: "ℎ", scriptB: "ℬ", scriptE: "ℰ", scriptF: "ℱ", scriptH: "ℋ", scriptI: "ℐ", scriptL: "ℒ",
  scriptM: "ℳ", scriptR: "ℛ", scripte: "ℯ", scriptg: "ℊ", scripto: "ℴ", frakturC: "ℭ",
  frakturH: "ℌ", frakturI: "ℑ", frakturR: "ℜ", frakturZ: "ℨ", "double-struckC": "ℂ",
  "double-struckH": "ℍ", "double-struckN": "ℕ", "double-struckP": "ℙ", "double-struckQ": "ℚ",
  "double-struckR": "ℝ", "double-struckZ": "ℤ",
};

/** A formula, or its source if KaTeX does not understand it. */
export function formula(tex: string, display: boolean): Element {
  try {
    if (tex.length > MAX_TEX) throw new RangeError("a formula of this length is not drawn");
    const math = document.createElementNS(NAMESPACE, "math");
    if (display) math.setAttribute("display", "block");
    const row = document.createElementNS(NAMESPACE, "mrow");
    const { mathTree } = require("katex-mathml");
    for (const tree of mathTree(tex, display)) row.append(...nodes(tree, ""));
    math.append(row);
    math.setAttribute("data-tex", tex);
    const root = element(display ? "div" : "span", display ? "math display" : "math");
    if (display) root.tabIndex = 0;
    root.append(math);
    return root;
  } catch {
    return element("code", "tex", display ? `$$${tex}$$` : `$${tex}$`);
  }
}

function nodes(tree: MathTree, variant: string): Node[] {
  if (tree.children === undefined) return [document.createTextNode(inAlphabet(tree.toText(), variant))];
  const own = tree.attributes?.mathvariant ?? variant;
  const children = tree.children.flatMap((child) => nodes(child, own));
  if (tree.type === undefined || !ELEMENTS.has(tree.type)) return children;
  const node = document.createElementNS(NAMESPACE, tree.type);
  for (const [name, value] of Object.entries(tree.attributes ?? {})) {
    if (ATTRIBUTES.has(name)) node.setAttribute(name, value);
  }
  // The only value that browsers know: a single letter that is upright.
  if (own === "normal" && tree.type === "mi") node.setAttribute("mathvariant", "normal");
  node.append(...children);
  return [node];
}

function inAlphabet(text: string, variant: string): string {
  const alphabet = ALPHABETS[variant];
  if (alphabet === undefined) return text;
  const [upper, lower, digit] = alphabet;
  return text.replace(/[A-Za-z0-9]/g, (letter) => {
    const older = OLDER[variant + letter];
    if (older !== undefined) return older;
    const code = letter.charCodeAt(0);
    if (code >= 97) return String.fromCodePoint(lower + code - 97);
    if (code >= 65) return String.fromCodePoint(upper + code - 65);
    return digit === undefined ? letter : String.fromCodePoint(digit + code - 48);
  });
}
