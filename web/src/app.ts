// The chat page: one open thread, its stream, and what the person does. The server owns the thread;
// the page sends one user message at a time and shows what it is told.

import { Api, ApiError, isAbort, isStateKey, newId } from "./api.ts";
import { askToken } from "./dialogs.ts";
import { byId, element } from "./dom.ts";
import { MarkdownView, work } from "./markdown/view.ts";
import { MessageView } from "./message.ts";
import { Assembler, readChunks } from "./stream.ts";
import { ThreadList } from "./threads.ts";
import type { Message, Part, Reading } from "./types.ts";

const EXAMPLES = ["help", "2+3*4", "time", "think about threads", "long 500", "1/0", "fail"];
const MAX_FILE_BYTES = 700_000;

const $ = {
  log: byId("log"),
  notice: byId("notice"),
  earlier: byId("earlier"),
  scroll: byId("scroll"),
  welcome: byId("welcome"),
  examples: byId("examples"),
  title: byId("title"),
  copyKey: byId("copy-key"),
  status: byId("status"),
  composer: byId("composer"),
  prompt: byId<HTMLTextAreaElement>("prompt"),
  files: byId("files"),
  file: byId<HTMLInputElement>("file"),
  attach: byId("attach"),
  send: byId("send"),
  stop: byId("stop"),
  new: byId("new"),
  menu: byId("menu"),
  backdrop: byId("backdrop"),
  threads: byId("threads"),
  skip: byId("skip"),
};
const api = new Api(askToken);
const list = new ThreadList(api, {
  onChange: () => showTitle(list.title(thread.key)),
  onDeleted: (key) => key === thread.key && go(""),
  onError: (error) => showError(error),
});

/** The open thread. A new object each time one is opened, so that late answers find the old one. */
interface OpenThread {
  key: string;
  views: Map<string, MessageView>;
  before: number | undefined;
  leave: AbortController;
  streaming: boolean;
}

type Action = [label: string, act: () => void];

let thread = newThread("");
let files: Part[] = [];

function newThread(key: string): OpenThread {
  return {
    key,
    views: new Map(),
    before: undefined,
    leave: new AbortController(),
    streaming: false,
  };
}

// ---- opening

function go(key: string): Promise<void> {
  if (location.hash.slice(1) !== key) history.pushState(null, "", key ? `#${key}` : location.pathname);
  return open(key);
}

async function open(key: string): Promise<void> {
  thread.leave.abort();
  const mine = (thread = newThread(key));
  $.log.replaceChildren();
  $.notice.replaceChildren();
  $.earlier.hidden = true;
  setStatus("");
  setStreaming(mine, false);
  showTitle(list.title(key));
  list.select(key);
  closeSidebar();
  if (key !== "" && !isStateKey(key)) {
    showNotice("The address names no thread.", "Its part after # is not a state key.");
    mine.key = "";
    return;
  }
  try {
    if (key !== "") await load(mine);
  } catch (error) {
    if (mine === thread) showError(error, () => open(key));
  }
  if (mine === thread) showWelcome();
}

async function load(mine: OpenThread): Promise<void> {
  const found = await readStored(mine);
  if (mine !== thread) return;
  if (found) showStored(mine, found);
  await follow(mine);
}

async function readStored(mine: OpenThread): Promise<Reading | null> {
  try {
    return await api.readThread(mine.key, undefined, mine.leave.signal);
  } catch (error) {
    if (codeOf(error) === "thread_not_found") return null;
    throw error;
  }
}

function showStored(mine: OpenThread, found: Reading): void {
  for (const message of found.messages) upsert(mine, message);
  showEarlier(mine, found);
  showWelcome();
  scrollDown();
}

/** Notes where the page before the messages of this answer begins. */
function showEarlier(mine: OpenThread, found: Reading): void {
  mine.before = found.before;
  $.earlier.hidden = found.before === undefined;
}

/** Reads the running turn, if there is one, from its start. */
async function follow(mine: OpenThread): Promise<void> {
  const response = await api.resume(mine.key, mine.leave.signal);
  if (mine !== thread) return;
  if (response !== null) {
    await show(mine, response);
    return;
  }
  if (lastMessage(mine)?.role !== "user") return;
  // It may have ended between the two requests.
  const found = await readStored(mine);
  if (mine !== thread || found === null) return;
  for (const message of found.messages) {
    if (!mine.views.has(message.id)) upsert(mine, message);
  }
  const last = lastMessage(mine);
  if (last?.role === "user") {
    showNotice("This message has no answer yet.", "", ["Ask for it", () => ask(mine, last)]);
  }
}

async function loadEarlier() {
  const mine = thread;
  $.earlier.hidden = true;
  try {
    const found = await api.readThread(mine.key, mine.before, mine.leave.signal);
    if (mine !== thread) return;
    const anchor = $.log.firstElementChild;
    const height = $.scroll.scrollHeight;
    for (const message of found.messages) {
      const view = new MessageView(message);
      mine.views.set(message.id, view);
      $.log.insertBefore(view.root, anchor);
    }
    $.scroll.scrollTop += $.scroll.scrollHeight - height;
    showEarlier(mine, found);
  } catch (error) {
    if (mine === thread) showError(error, loadEarlier);
  }
}

// ---- sending and streaming

function send(text: string): void {
  const parts: Part[] = files.map((part) => ({ ...part }));
  if (text.trim() !== "") parts.push({ type: "text", text });
  if (parts.length === 0 || thread.streaming) return;
  if (thread.key === "") {
    thread.key = newId();
    history.pushState(null, "", `#${thread.key}`);
    list.current = thread.key;
  }
  $.prompt.value = "";
  fitPrompt();
  setFiles([]);
  $.prompt.focus();
  ask(thread, { id: newId(), role: "user", parts });
}

/**
 * Sends a user message and shows its answer. Sending it again with the same id is safe: the server
 * finds the running turn or the stored answer.
 */
async function ask(mine: OpenThread, message: Message): Promise<void> {
  $.notice.replaceChildren();
  const before = upsert(mine, message).root.previousElementSibling;
  const parentId = (before as HTMLElement | null)?.dataset.id ?? "";
  showWelcome();
  scrollDown();
  setStreaming(mine, true);
  setStatus("Waiting for the server…");
  try {
    const response = await api.send(mine.key, message, parentId, mine.leave.signal);
    if (mine !== thread) return;
    list.refresh();
    await show(mine, response);
  } catch (error) {
    if (mine !== thread) return;
    setStreaming(mine, false);
    setStatus("");
    showError(error, () => ask(mine, message));
  }
  list.refresh();
}

/** Shows a stream until its end, and follows the turn again if the connection breaks. */
async function show(mine: OpenThread, response: Response): Promise<void> {
  setStreaming(mine, true);
  const assembler = new Assembler();
  let view: MessageView | null = null;
  const draw = drawer(mine, (changed) => {
    const { message } = assembler;
    view ??= upsert(mine, message);
    if (changed === null) view.update(message);
    else for (const part of changed) view.update(message, part);
    setStatus(assembler.status?.label ?? "");
  });
  try {
    for await (const chunk of readChunks(response.body as ReadableStream<Uint8Array>)) {
      if (mine !== thread) return;
      draw(assembler.apply(chunk));
    }
    draw.now();
    setStreaming(mine, false);
    setStatus("");
    if (assembler.error !== null) showNotice(assembler.error);
    list.refresh();
  } catch (error) {
    if (mine !== thread || isAbort(error)) return;
    draw.now();
    setStreaming(mine, false);
    setStatus("");
    showNotice("The connection broke.", "The server goes on without it.", [
      "Catch up",
      () => open(mine.key),
    ]);
  }
}

/**
 * Collects changes and draws them once a frame; less often when drawing takes long, so that a long
 * answer does not freeze the page.
 */
function drawer(mine: OpenThread, paint: (changed: Set<Part> | null) => void) {
  let changed = new Set<Part>();
  let whole = false;
  let timer = 0;
  let cost = 0;
  const now = () => {
    clearTimeout(timer);
    timer = 0;
    if (mine !== thread) return;
    const stuck = isAtEnd();
    const begun = performance.now();
    paint(whole ? null : changed);
    changed = new Set<Part>();
    whole = false;
    if (stuck) scrollDown();
    cost = performance.now() - begun;
  };
  const draw = (part: Part | null) => {
    if (part === null) whole = true;
    else changed.add(part);
    if (timer === 0) timer = setTimeout(now, Math.max(30, 4 * cost));
  };
  return Object.assign(draw, { now });
}

async function stop() {
  const mine = thread;
  setStatus("Stopping…");
  try {
    await api.stop(mine.key);
  } catch (error) {
    // It ended a moment before.
    if (mine === thread && codeOf(error) !== "no_turn") showError(error);
  }
}

// ---- drawing

function upsert(mine: OpenThread, message: Message): MessageView {
  const known = mine.views.get(message.id);
  if (known?.message === message) return known;
  const view = new MessageView(message);
  mine.views.set(message.id, view);
  if (known === undefined) $.log.append(view.root);
  else known.root.replaceWith(view.root);
  return view;
}

function lastMessage(mine: OpenThread): Message | undefined {
  const last = $.log.lastElementChild as HTMLElement | null;
  return mine.views.get(last?.dataset.id ?? "")?.message;
}

function showTitle(title: string | null): void {
  $.title.textContent = title ?? "New thread";
  document.title = title ? `${title} – pgthreads` : "pgthreads";
}

function showWelcome() {
  $.welcome.hidden = $.log.childElementCount > 0 || $.notice.childElementCount > 0;
  $.copyKey.hidden = thread.key === "";
  $.copyKey.textContent = thread.key;
}

function setStreaming(mine: OpenThread, streaming: boolean): void {
  mine.streaming = streaming;
  if (mine !== thread) return;
  $.log.setAttribute("aria-busy", String(streaming));
  const hadFocus = document.activeElement === $.stop || document.activeElement === $.send;
  $.stop.hidden = !streaming;
  $.send.hidden = streaming;
  if (hadFocus) $.prompt.focus();
}

function setStatus(text: string): void {
  $.status.textContent = text;
}

function showError(error: unknown, again?: () => void): void {
  if (isAbort(error)) return;
  const action: Action | undefined = again && ["Try again", again];
  if (error instanceof ApiError) showNotice(error.message, error.hint, action, error.code);
  else {
    console.error(error);
    showNotice(String(error), "", action);
  }
}

function codeOf(error: unknown): string {
  return error instanceof ApiError ? error.code : "";
}

function showNotice(text: string, hint = "", action?: Action, code = ""): void {
  const notice = element("div", "notice");
  notice.setAttribute("role", "alert");
  const line = element("p", "", text);
  if (code) line.append(" ", element("code", "", code));
  notice.append(line);
  if (hint) notice.append(element("p", "hint", hint));
  if (action) {
    const button = element("button", "button", action[0]);
    button.type = "button";
    button.addEventListener("click", () => {
      $.notice.replaceChildren();
      action[1]();
    });
    notice.append(button);
  }
  $.notice.replaceChildren(notice);
  $.welcome.hidden = true;
  scrollDown();
}

function isAtEnd() {
  return $.scroll.scrollHeight - $.scroll.scrollTop - $.scroll.clientHeight < 60;
}

function scrollDown() {
  $.scroll.scrollTop = $.scroll.scrollHeight;
}

// ---- the message field

function fitPrompt() {
  $.prompt.style.height = "auto";
  $.prompt.style.height = `${$.prompt.scrollHeight}px`;
}

function setFiles(parts: Part[]): void {
  files = parts;
  $.files.replaceChildren(
    ...files.map((part, index) => {
      const name = part.filename ?? "";
      const chip = element("li", "chip", name);
      const remove = element("button", "icon small", "×");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove ${name}`);
      remove.addEventListener("click", () => setFiles(files.filter((_, other) => other !== index)));
      chip.append(remove);
      return chip;
    }),
  );
}

async function attach(chosen: File[]): Promise<void> {
  for (const file of chosen) {
    if (file.size > MAX_FILE_BYTES) {
      showNotice(`${file.name} is too large.`, "A message with its files has up to 1 MiB.");
      continue;
    }
    const url = await new Promise<string>((resolve, reject) => {
      const reader = new FileReader();
      reader.addEventListener("load", () => resolve(String(reader.result)));
      reader.addEventListener("error", () => reject(reader.error));
      reader.readAsDataURL(file);
    });
    const mediaType = file.type || "application/octet-stream";
    setFiles([...files, { type: "file", mediaType, url, filename: file.name }]);
  }
}

// ---- the sidebar on narrow screens

function openSidebar() {
  document.body.classList.add("sidebar-open");
  $.backdrop.hidden = false;
  $.menu.setAttribute("aria-expanded", "true");
  $.new.focus();
}

function closeSidebar() {
  if (!document.body.classList.contains("sidebar-open")) return;
  document.body.classList.remove("sidebar-open");
  $.backdrop.hidden = true;
  $.menu.setAttribute("aria-expanded", "false");
  $.menu.focus();
}

// ---- events

$.composer.addEventListener("submit", (event) => {
  event.preventDefault();
  send($.prompt.value);
});
$.prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send($.prompt.value);
});
$.prompt.addEventListener("input", fitPrompt);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || document.querySelector("dialog[open]")) return;
  if (document.body.classList.contains("sidebar-open")) closeSidebar();
  else if (thread.streaming) stop();
});
$.stop.addEventListener("click", stop);
$.earlier.addEventListener("click", loadEarlier);
$.attach.addEventListener("click", () => $.file.click());
$.file.addEventListener("change", async () => {
  await attach([...($.file.files ?? [])]);
  $.file.value = "";
  $.prompt.focus();
});
$.new.addEventListener("click", () => {
  go("");
  $.prompt.focus();
});
$.copyKey.addEventListener("click", async () => {
  await navigator.clipboard.writeText(thread.key);
  setStatus("State key copied");
});
$.skip.addEventListener("click", (event) => {
  // The hash names the thread, so this link must not change it.
  event.preventDefault();
  $.prompt.focus();
});
$.menu.addEventListener("click", openSidebar);
$.backdrop.addEventListener("click", closeSidebar);
$.threads.addEventListener("click", (event) => {
  // Opening the thread that is open changes no address, but it should close the sidebar.
  if ((event.target as Element).closest("a[aria-current]")) closeSidebar();
});
// Follows links in the list, the browser's back and forward, and an edited address.
window.addEventListener("popstate", () => {
  if (location.hash.slice(1) !== thread.key) open(location.hash.slice(1));
});

for (const example of EXAMPLES) {
  const button = element("button", "chip", example);
  button.type = "button";
  button.addEventListener("click", () => send(example));
  $.examples.append(button);
}

open(location.hash.slice(1));
list.refresh();

// For tests: they run these against the stream of a real server.
export { Assembler, MarkdownView, readChunks, work };
