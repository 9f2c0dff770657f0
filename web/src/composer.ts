// The message field with its files. What is in it belongs to a thread, and is kept with every change.

import { button, byId, element } from "./dom.ts";
import { filePart, TooLarge } from "./files.ts";
import type { Outbox } from "./outbox.ts";
import type { Part } from "./types.ts";

interface Handlers {
  onSend(): void;
  onNotice(text: string, hint: string): void;
}

export class Composer {
  private readonly _prompt = byId<HTMLTextAreaElement>("prompt");
  private readonly _chips = byId("files");
  private readonly _file = byId<HTMLInputElement>("file");
  private _key = "";
  private _files: Part[] = [];

  constructor(
    private readonly _outbox: Outbox,
    private readonly _handlers: Handlers,
  ) {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      _handlers.onSend();
    });
    this._prompt.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      _handlers.onSend();
    });
    this._prompt.addEventListener("input", () => this._changed());
    this._prompt.addEventListener("paste", (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      void this.attach(files);
    });
    byId("attach").addEventListener("click", () => this._file.click());
    this._file.addEventListener("change", async () => {
      await this.attach([...(this._file.files ?? [])]);
      this._file.value = "";
      this.focus();
    });
    const main = document.querySelector("main");
    main?.addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    main?.addEventListener("drop", (event) => {
      if (!event.dataTransfer?.files.length) return;
      event.preventDefault();
      void this.attach([...event.dataTransfer.files]);
    });
  }

  get isEmpty(): boolean {
    return this._prompt.value.trim() === "" && this._files.length === 0;
  }

  /** Shows the draft of this thread. */
  open(key: string): void {
    this._key = key;
    const draft = this._outbox.draft(key);
    this._files = draft.files;
    this._prompt.value = draft.text;
    this._draw();
  }

  /** The thread has got a name. */
  rename(key: string): void {
    const old = this._key;
    this._key = key;
    this._outbox.saveText(old, "");
    this._outbox.saveFiles(old, []);
    this._outbox.saveText(key, this._prompt.value);
    this._outbox.saveFiles(key, this._files);
  }

  /** The parts of a message. What is in the field goes on to belong to this thread. */
  parts(): Part[] {
    const text = this._prompt.value;
    const written: Part[] = text.trim() === "" ? [] : [{ type: "text", text }];
    return [...this._files.map((part) => ({ ...part })), ...written];
  }

  clear(): void {
    this.set("", []);
  }

  set(text: string, files: Part[]): void {
    this._prompt.value = text;
    this._setFiles(files);
    this._changed();
  }

  /** Gives back a message that was not sent; what was typed since then stays behind it. */
  giveBack(parts: Part[]): void {
    const text = parts.filter((part) => part.type === "text").map((part) => part.text ?? "");
    const typed = this._prompt.value.trim() === "" ? [] : [this._prompt.value];
    const files = parts.filter((part) => part.type === "file");
    this.set([...text, ...typed].join("\n\n"), [...files, ...this._files]);
  }

  focus(): void {
    this._prompt.focus();
  }

  async attach(chosen: File[]): Promise<void> {
    const key = this._key;
    for (const file of chosen) {
      try {
        const part = await filePart(file);
        if (key === this._key) this._setFiles([...this._files, part]);
        else this._outbox.saveFiles(key, [...this._outbox.draft(key).files, part]);
      } catch (error) {
        if (!(error instanceof TooLarge)) throw error;
        this._handlers.onNotice(`${file.name} is too large.`, "A message with its files has up to 1 MiB.");
      }
    }
  }

  private _changed(): void {
    this._fit();
    this._outbox.saveText(this._key, this._prompt.value);
  }

  private _setFiles(files: Part[]): void {
    this._files = files;
    this._outbox.saveFiles(this._key, files);
    this._draw();
  }

  private _fit(): void {
    this._prompt.style.height = "auto";
    this._prompt.style.height = `${this._prompt.scrollHeight}px`;
  }

  private _draw(): void {
    this._fit();
    this._chips.replaceChildren(
      ...this._files.map((part) => {
        const name = part.filename ?? "file";
        const chip = element("li", "chip", name);
        chip.dir = "auto";
        const remove = button("icon small", "×", () => {
          this._setFiles(this._files.filter((other) => other !== part));
          this.focus();
        });
        remove.setAttribute("aria-label", `Remove ${name}`);
        chip.append(remove);
        return chip;
      }),
    );
  }
}
