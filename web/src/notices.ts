// The notice below the messages: what went wrong, and what can be done.

import { ApiError, isAbort } from "./api.ts";
import { button, byId, element } from "./dom.ts";

type Action = [label: string, act: () => void];

export class Notices {
  private readonly _root = byId("notice");

  /** `onChange` is called when a notice comes or goes. */
  constructor(private readonly _onChange: () => void) {}

  get isEmpty(): boolean {
    return this._root.childElementCount === 0;
  }

  clear(): void {
    this._root.replaceChildren();
    this._onChange();
  }

  error(error: unknown, again?: () => void): void {
    if (isAbort(error)) return;
    const action: Action | undefined = again && ["Try again", again];
    if (error instanceof ApiError) this.show(error.message, error.hint, action, error.code);
    else {
      console.error(error);
      this.show(String(error), "", action);
    }
  }

  show(text: string, hint = "", action?: Action, code = ""): void {
    const notice = element("div", "notice");
    notice.setAttribute("role", "alert");
    const line = element("p", "", text);
    if (code) line.append(" ", element("code", "", code));
    notice.append(line);
    if (hint) notice.append(element("p", "hint", hint));
    if (action) {
      notice.append(
        button("button", action[0], () => {
          this.clear();
          action[1]();
        }),
      );
    }
    this._root.replaceChildren(notice);
    this._onChange();
  }
}
