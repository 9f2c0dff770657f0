// The three questions that the page asks.

import { byId } from "./dom.ts";

/** Whether the dialog was answered with its second button. */
function answered(dialog: HTMLDialogElement): Promise<boolean> {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

// Enter in a field presses the first submit button of its form, which is Cancel.
function confirmOnEnter(field: HTMLInputElement, button: HTMLButtonElement): void {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    button.click();
  });
}

const renameField = byId<HTMLInputElement>("rename-field");
const tokenField = byId<HTMLInputElement>("token");
confirmOnEnter(renameField, byId("rename-yes"));
confirmOnEnter(tokenField, byId("login-yes"));

/** The new title, null if nothing is to change. */
export async function askTitle(title: string): Promise<string | null> {
  const field = renameField;
  field.value = title;
  const answer = answered(byId("rename"));
  field.focus();
  field.select();
  return (await answer) && field.value.trim() !== title ? field.value.trim() : null;
}

export function confirmDelete(title: string): Promise<boolean> {
  byId("delete-what").textContent = `“${title}” disappears for every reader.`;
  return answered(byId("delete"));
}

/** Shows the keys that do something. */
export function showKeys(): void {
  byId<HTMLDialogElement>("keys").showModal();
}

/** A bearer token, null if there is none to give. */
export async function askToken(): Promise<string | null> {
  const field = tokenField;
  field.value = "";
  const answer = answered(byId("login"));
  field.focus();
  return (await answer) ? field.value.trim().replace(/^bearer\s+/i, "") || null : null;
}
