// The three questions that the page asks.

const byId = (id) => document.getElementById(id);

/** Whether the dialog was answered with its second button. */
function answered(dialog) {
  return new Promise((resolve) => {
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
    dialog.showModal();
  });
}

// Enter in a field presses the first submit button of its form, which is Cancel.
function confirmOnEnter(field, button) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return;
    event.preventDefault();
    button.click();
  });
}

confirmOnEnter(byId("rename-field"), byId("rename-yes"));
confirmOnEnter(byId("token"), byId("login-yes"));

/** The new title, null if nothing is to change. */
export async function askTitle(title) {
  const field = byId("rename-field");
  field.value = title;
  const answer = answered(byId("rename"));
  field.focus();
  field.select();
  return (await answer) && field.value.trim() !== title ? field.value.trim() : null;
}

export function confirmDelete(title) {
  byId("delete-what").textContent = `“${title}” disappears for every reader.`;
  return answered(byId("delete"));
}

/** A bearer token, null if there is none to give. */
export async function askToken() {
  const field = byId("token");
  field.value = "";
  const answer = answered(byId("login"));
  field.focus();
  return (await answer) ? field.value.trim().replace(/^bearer\s+/i, "") || null : null;
}
