// The half of KaTeX that makes MathML; build.mjs leaves out the one that makes HTML and SVG.

declare module "katex-mathml" {
  export interface MathTree {
    type?: string;
    attributes?: Record<string, string>;
    children?: MathTree[];
    toText(): string;
  }
  /** Returns the MathML of TeX as a tree; throws if it is not TeX that KaTeX knows. */
  export function mathTree(tex: string, display: boolean): MathTree[];
}
