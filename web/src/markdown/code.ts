// A block of code: its language, a button that copies it, and colours once it is complete.

import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import java from "highlight.js/lib/languages/java";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { button, element } from "../dom.ts";
import { later } from "../later.ts";

const LANGUAGES = { bash, c, diff, go, java, json, python, rust, sql, typescript, xml, yaml };
for (const [name, language] of Object.entries(LANGUAGES)) hljs.registerLanguage(name, language);
hljs.registerAliases(["console", "shell"], { languageName: "bash" });
hljs.registerAliases(["psql", "postgres", "postgresql", "pgsql", "plpgsql"], { languageName: "sql" });
hljs.registerAliases(["cpp", "c++"], { languageName: "c" });

hljs.registerAliases(["js", "jsx", "javascript", "mjs"], { languageName: "typescript" });

/** Longer blocks keep one colour: to find the others would take longer than a frame. */
const MAX_COLOURED = 20_000;

interface Coloured {
  scope?: string;
  children: (Coloured | string)[];
}

/** A block whose text can grow. Its node stays the same, and so does the focus in it. */
export class CodeBlock {
  readonly root = element("div", "code");
  private readonly _code = element("code");
  private readonly _language: string;
  private _text: Text = document.createTextNode("");

  constructor(language: string) {
    this._language = language;
    const head = element("div", "code-head");
    const copy = button("link copy", "Copy", async () => {
      await navigator.clipboard.writeText(this._code.textContent ?? "");
      copy.textContent = "Copied";
      setTimeout(() => (copy.textContent = "Copy"), 1500);
    });
    copy.setAttribute("aria-label", "Copy this code");
    head.append(element("span", "", language), copy);
    const pre = element("pre");
    pre.tabIndex = 0;
    pre.dir = "ltr";
    this._code.append(this._text);
    pre.append(this._code);
    this.root.append(head, pre);
  }

  set(text: string): void {
    if (text.startsWith(this._text.data)) this._text.appendData(text.slice(this._text.data.length));
    else this._text.data = text;
  }

  append(text: string): void {
    this._text.appendData(text);
  }

  /** Colours it, now that no more of it comes. */
  finish(): void {
    const text = this._text.data;
    const language = this._language.toLowerCase();
    if (text.length > MAX_COLOURED || hljs.getLanguage(language) === undefined) return;
    later(() => {
      // The tree that highlight.js makes its markup of; lowlight reads it in the same way.
      const result = hljs.highlight(text, { language, ignoreIllegals: true });
      const { rootNode } = result._emitter as unknown as { rootNode: Coloured };
      this._code.replaceChildren(...nodes(rootNode));
    });
  }
}

function nodes(tree: Coloured): (Node | string)[] {
  return tree.children.map((child) => {
    if (typeof child === "string") return child;
    const span = element("span");
    // "title.function" is styled as "title"; what highlight.js calls a language has no style.
    if (child.scope) span.className = child.scope.split(".")[0]?.replace(/[^\w-]/g, "") ?? "";
    span.append(...nodes(child));
    return span;
  });
}
