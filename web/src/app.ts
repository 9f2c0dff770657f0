// The chat page: puts its parts together, and takes addresses, keys and buttons.

import { Api, isStateKey } from "./api.ts";
import { Composer } from "./composer.ts";
import { Connection, isTemporary } from "./connection.ts";
import { codeOf, Conversation } from "./conversation.ts";
import { askToken, showKeys } from "./dialogs.ts";
import { button, byId } from "./dom.ts";
import { Live } from "./live.ts";
import { MarkdownView, work } from "./markdown/view.ts";
import { openMenu } from "./menu.ts";
import { startModels } from "./models.ts";
import { Notices } from "./notices.ts";
import { Outbox } from "./outbox.ts";
import { Scroll } from "./scroll.ts";
import { sharedToken, showShared } from "./shared.ts";
import { Assembler, readChunks } from "./stream.ts";
import { startTheme } from "./theme.ts";
import { ThreadList } from "./threads.ts";
import type { Part } from "./types.ts";

const EXAMPLES = ["help", "2+3*4", "time", "think about threads", "long 500", "1/0", "fail"];

const $ = {
  main: byId("main"),
  welcome: byId("welcome"),
  demo: byId("demo"),
  examples: byId("examples"),
  title: byId("title"),
  copyKey: byId("copy-key"),
  status: byId("status"),
  prompt: byId<HTMLTextAreaElement>("prompt"),
  send: byId("send"),
  stop: byId("stop"),
  new: byId("new"),
  menu: byId("menu"),
  backdrop: byId("backdrop"),
  threads: byId("threads"),
  skip: byId("skip"),
  threadMenu: byId("thread-menu"),
};

const api = new Api(askToken);
const outbox = new Outbox();
const notices = new Notices(showWelcome);
const scroll = new Scroll();
const composer = new Composer(outbox, {
  onSend: () => thread.send(),
  onNotice: (text, hint) => notices.show(text, hint),
});
const connection = new Connection(async () => {
  live?.retry();
  await list.refresh();
  void sendOthers();
  if (await thread.resume()) await open(thread.key);
});
const list = new ThreadList(api, {
  onChange: showTitle,
  onDeleted: (key) => void leaveDeleted(key),
  onError: (error) => notices.error(error),
  onTrouble: (error) => (isTemporary(error) ? connection.failed(error) : notices.error(error)),
});

let live: Live | undefined;
let thread = conversation("");

function conversation(key: string, leaf?: string): Conversation {
  const made = new Conversation(
    {
      api,
      outbox,
      composer,
      notices,
      scroll,
      connection: () => connection,
      onChange: () => void list.refresh(),
      onNamed(named) {
        history.pushState(null, "", `#${named}`);
        list.current = named;
        composer.rename(named);
      },
      onStreaming: showStreaming,
      onStatus: (text) => void ($.status.textContent = text),
      onShown: showWelcome,
    },
    key,
    leaf,
  );
  made.onBranch = (chosen) => void open(made.key, chosen);
  made.onOther = () => void open(made.key);
  return made;
}

// ---- opening

function go(key: string): Promise<void> {
  if (location.hash.slice(1) !== key) history.pushState(null, "", key ? `#${key}` : location.pathname);
  return open(key);
}

async function open(key: string, leaf?: string): Promise<void> {
  const isKey = key === "" || isStateKey(key);
  thread.leave();
  thread = conversation(isKey ? key : "", leaf);
  notices.clear();
  $.status.textContent = "";
  showStreaming(false);
  composer.open(thread.key);
  list.select(key);
  showTitle();
  closeSidebar();
  if (!isKey) notices.show("The address names no thread.", "Its part after # is not a state key.");
  await thread.load();
  showTitle();
}

/** Leaves a thread that is no more; what was typed goes on to the next one. Returns whether it was open. */
async function leaveDeleted(key: string): Promise<boolean> {
  if (key !== thread.key) return false;
  const typed = composer.parts();
  const waiting = outbox.list(key);
  composer.clear();
  for (const { message } of waiting) outbox.remove(key, message.id);
  await go("");
  composer.giveBack([...waiting.flatMap(({ message }) => message.parts), ...typed]);
  return true;
}

/** Sends what waits in threads that are not open. */
async function sendOthers(): Promise<void> {
  for (const key of outbox.threads()) {
    for (const { message, parentId } of outbox.list(key)) {
      if (key === thread.key) break;
      try {
        const response = await api.send(key, { message, parentId, onBusy: "enqueue" });
        // The turn goes on without a reader.
        void response.body?.cancel();
        outbox.remove(key, message.id);
      } catch (error) {
        if (isTemporary(error)) {
          connection.failed(error);
          return;
        }
        if (codeOf(error) === "turn_running") break;
        outbox.remove(key, message.id);
        keepAsDraft(key, message.parts);
      }
    }
  }
  void list.refresh();
}

function keepAsDraft(key: string, parts: Part[]): void {
  const draft = outbox.draft(key);
  const texts = parts.filter((part) => part.type === "text").map((part) => part.text ?? "");
  outbox.saveText(key, [...texts, draft.text].filter((text) => text !== "").join("\n\n"));
  outbox.saveFiles(key, [...parts.filter((part) => part.type === "file"), ...draft.files]);
}

// ---- drawing

function showTitle(): void {
  const title = list.title(thread.key);
  $.title.textContent = title ?? (thread.key === "" || thread.isEmpty ? "New thread" : "Untitled");
  document.title = title ? `${title} – pgthreads` : "pgthreads";
}

function showWelcome(): void {
  $.welcome.hidden = !thread.isEmpty || !notices.isEmpty;
  $.copyKey.hidden = thread.key === "";
  $.copyKey.textContent = thread.key;
  $.threadMenu.hidden = thread.key === "";
}

function showStreaming(streaming: boolean): void {
  const hadFocus = document.activeElement === $.stop || document.activeElement === $.send;
  $.stop.hidden = !streaming;
  $.send.hidden = streaming;
  if (hadFocus) composer.focus();
}

// ---- the sidebar on narrow screens

function openSidebar(): void {
  // A wide screen always shows it.
  if (!$.menu.checkVisibility()) return;
  document.body.classList.add("sidebar-open");
  $.backdrop.hidden = false;
  $.menu.setAttribute("aria-expanded", "true");
  $.main.inert = true;
  $.new.focus();
}

function closeSidebar(): void {
  if (!document.body.classList.contains("sidebar-open")) return;
  document.body.classList.remove("sidebar-open");
  $.backdrop.hidden = true;
  $.menu.setAttribute("aria-expanded", "false");
  $.main.inert = false;
  $.menu.focus();
}

// ---- keys and buttons

function startThread(): void {
  void go("");
  composer.focus();
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open], :popover-open, .shared")) return;
  const target = event.target as HTMLElement;
  const isTyping = target.matches("input, textarea, select");
  if (event.key === "Escape") {
    if (document.body.classList.contains("sidebar-open")) closeSidebar();
    else if (thread.isStreaming) void thread.stop();
    else thread.cancelEdit();
  } else if ((event.ctrlKey || event.metaKey) && event.shiftKey && event.key.toLowerCase() === "o") {
    event.preventDefault();
    startThread();
  } else if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    openSidebar();
    list.focusSearch();
  } else if (event.key === "ArrowUp" && target === $.prompt && composer.isEmpty && $.prompt.value === "") {
    event.preventDefault();
    thread.editLast();
  } else if (event.key === "?" && (!isTyping || (target === $.prompt && $.prompt.value === ""))) {
    event.preventDefault();
    showKeys();
  }
});
$.stop.addEventListener("click", () => void thread.stop());
byId("earlier").addEventListener("click", () => void thread.loadEarlier());
$.new.addEventListener("click", startThread);
byId("show-keys").addEventListener("click", showKeys);
$.copyKey.addEventListener("click", async () => {
  await navigator.clipboard.writeText(thread.key);
  $.status.textContent = "State key copied";
});
$.skip.addEventListener("click", (event) => {
  // The hash names the thread, so this link must not change it.
  event.preventDefault();
  composer.focus();
});
$.threadMenu.addEventListener("click", () => openMenu($.threadMenu, list.actions(thread.key)));
$.menu.addEventListener("click", openSidebar);
$.backdrop.addEventListener("click", closeSidebar);
$.threads.addEventListener("click", (event) => {
  // Opening the thread that is open changes no address, but it should close the sidebar.
  if ((event.target as Element).closest("a[aria-current]")) closeSidebar();
});
// Follows links in the list, the browser's back and forward, and an edited address.
window.addEventListener("popstate", () => {
  // A page that shows a link shows nothing else, and the other way around.
  if ((sharedToken() === undefined) === document.body.classList.contains("shared")) location.reload();
  else if (location.hash.slice(1) !== thread.key) {
    void open(location.hash.slice(1));
    void sendOthers();
  }
});

// The server says so in the page: other executors do not know these.
if (document.querySelector<HTMLMetaElement>("meta[name=executor]")?.content === "offline") {
  $.demo.hidden = false;
  for (const example of EXAMPLES) {
    $.examples.append(button("chip", example, () => thread.say([{ type: "text", text: example }])));
  }
}

startTheme();
const token = sharedToken();
if (token !== undefined) void showShared(api, token, notices, scroll);
else {
  void startModels(api);
  void open(location.hash.slice(1));
  void sendOthers();
  void list.refresh();
  live = new Live(api, {
    onThread({ stateKey }) {
      list.refreshSoon();
      if (stateKey === thread.key) thread.changed();
    },
    async onDeleted(key) {
      list.refreshSoon();
      if (await leaveDeleted(key)) notices.show("This thread was deleted.", "");
    },
    onReload() {
      list.refreshSoon();
      thread.changed();
    },
  });
}
document.body.dataset.ready = "true";

// For tests: they run these against the stream of a real server.
export { Assembler, MarkdownView, readChunks, work };
