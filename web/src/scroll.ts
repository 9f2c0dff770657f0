// Keeps the newest text in sight while it comes, unless the reader has scrolled away from it.

import { byId } from "./dom.ts";

const NEAR_PX = 60;

export class Scroll {
  private readonly _root = byId("scroll");
  private readonly _latest = byId("latest");
  private _isAtEnd = true;

  constructor() {
    this._root.addEventListener("scroll", () => {
      this._isAtEnd = this._fromEnd() < NEAR_PX;
      this._latest.hidden = this._fromEnd() < this._root.clientHeight / 2;
    });
    const sizes = new ResizeObserver(() => {
      if (this._isAtEnd) this.toEnd();
    });
    // More text, or less room for it.
    sizes.observe(byId("column"));
    sizes.observe(this._root);
    this._latest.addEventListener("click", () => {
      this.toEnd();
      this._root.focus();
    });
  }

  toEnd(): void {
    this._isAtEnd = true;
    this._root.scrollTop = this._root.scrollHeight;
    this._latest.hidden = true;
  }

  /** Does something that adds text above, and keeps what is seen where it is. */
  keepFromEnd(change: () => void): void {
    const from = this._fromEnd();
    this._isAtEnd = false;
    change();
    this._root.scrollTop = this._root.scrollHeight - this._root.clientHeight - from;
  }

  private _fromEnd(): number {
    return this._root.scrollHeight - this._root.scrollTop - this._root.clientHeight;
  }
}
