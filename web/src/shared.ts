// What a link to a thread shows: its messages, to read and nothing else.

import { type Api, ApiError } from "./api.ts";
import { day } from "./dates.ts";
import { byId, element } from "./dom.ts";
import { MessageView } from "./message.ts";
import type { Notices } from "./notices.ts";
import type { Scroll } from "./scroll.ts";

const nothing = () => {};
const ACTIONS = { edit: nothing, again: nothing, decide: nothing, goOn: nothing, show: nothing };

/** The token in the address; it is behind the `#`, so that no server's log has it. */
export function sharedToken(): string | undefined {
  return /^#share\/(.+)$/.exec(location.hash)?.[1];
}

/** The address that shows a thread to whoever has this token. */
export function sharedAddress(token: string): string {
  return `${location.origin}${location.pathname}#share/${token}`;
}

export async function showShared(api: Api, token: string, notices: Notices, scroll: Scroll): Promise<void> {
  document.body.classList.add("shared");
  for (const id of ["skip", "sidebar", "composer", "menu"]) byId(id).remove();
  const log = byId("log");
  const earlier = byId("earlier");
  let before: number | undefined;
  const read = async (): Promise<void> => {
    earlier.hidden = true;
    try {
      const found = await api.readShared(token, before);
      const title = found.title ?? "Untitled";
      byId("title").textContent = title;
      document.title = `${title} – pgthreads`;
      const until = found.expiresAt ? `, open until ${day(found.expiresAt)}` : "";
      byId("shared").replaceChildren(element("p", "hint", `Shared on ${day(found.sharedAt)}${until}.`));
      const add = () => log.prepend(...found.messages.map((message) => new MessageView(message, ACTIONS).root));
      if (before === undefined) {
        add();
        scroll.toEnd();
      } else scroll.keepFromEnd(add);
      before = found.before;
      earlier.hidden = before === undefined;
    } catch (error) {
      const isGone = error instanceof ApiError && error.status === 404;
      if (isGone) notices.show("This link shows nothing.", "It has expired or was revoked, or its thread was deleted.");
      else notices.error(error, read);
    }
  };
  earlier.addEventListener("click", read);
  await read();
}
