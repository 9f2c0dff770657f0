// What markdown-it takes from the package `entities`, with the names that people write. An entity of
// another name stays as it is.

const NAMES: Record<string, string> = {
  amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0", shy: "\u00ad", copy: "©", reg: "®",
  trade: "™", deg: "°", plusmn: "±", micro: "µ", middot: "·", para: "¶", sect: "§", frac12: "½",
  frac14: "¼", frac34: "¾", times: "×", divide: "÷", laquo: "«", raquo: "»", lsquo: "‘", rsquo: "’",
  ldquo: "“", rdquo: "”", sbquo: "‚", bdquo: "„", ndash: "–", mdash: "—", hellip: "…", bull: "•",
  dagger: "†", Dagger: "‡", permil: "‰", prime: "′", Prime: "″", euro: "€", pound: "£", yen: "¥",
  cent: "¢", larr: "←", uarr: "↑", rarr: "→", darr: "↓", harr: "↔", lArr: "⇐", rArr: "⇒", hArr: "⇔",
  infin: "∞", ne: "≠", le: "≤", ge: "≥", asymp: "≈", equiv: "≡", sum: "∑", prod: "∏", radic: "√",
  minus: "−", part: "∂", nabla: "∇", int: "∫", isin: "∈", notin: "∉", cap: "∩", cup: "∪", sub: "⊂",
  sup: "⊃", and: "∧", or: "∨", not: "¬", forall: "∀", exist: "∃", empty: "∅", alpha: "α", beta: "β",
  gamma: "γ", delta: "δ", Delta: "Δ", epsilon: "ε", theta: "θ", lambda: "λ", mu: "μ", pi: "π",
  Pi: "Π", sigma: "σ", Sigma: "Σ", tau: "τ", phi: "φ", omega: "ω", Omega: "Ω", szlig: "ß",
  auml: "ä", ouml: "ö", uuml: "ü", Auml: "Ä", Ouml: "Ö", Uuml: "Ü", eacute: "é", egrave: "è",
  ecirc: "ê", agrave: "à", aacute: "á", acirc: "â", aring: "å", aelig: "æ", ccedil: "ç", ntilde: "ñ",
  oslash: "ø", ensp: "\u2002", emsp: "\u2003", thinsp: "\u2009", zwj: "\u200d", zwnj: "\u200c",
};

export function decodeHTMLStrict(text: string): string {
  return text.replace(/&(\w+);/g, (whole, name: string) => (Object.hasOwn(NAMES, name) ? NAMES[name] : undefined) ?? whole);
}
