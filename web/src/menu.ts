// A menu of actions beside a button. The browser closes it on Escape and on a click elsewhere.

import { byId, element } from "./dom.ts";

export type Item = [label: string, act: () => void, isDangerous?: boolean];

const root = byId("actions");
let opener: HTMLElement | null = null;

/** Opens the menu at this button, or closes it if it is open there. */
export function openMenu(at: HTMLElement, items: Item[]): void {
  if (opener === at && root.matches(":popover-open")) {
    root.hidePopover();
    return;
  }
  opener = at;
  root.replaceChildren(
    ...items.map(([label, act, isDangerous]) => {
      const item = element("button", isDangerous ? "item bad" : "item", label);
      item.type = "button";
      item.role = "menuitem";
      item.tabIndex = -1;
      item.addEventListener("click", () => {
        root.hidePopover();
        at.focus();
        act();
      });
      return item;
    }),
  );
  // In the landmark of its button, so that it can be found there.
  at.closest("nav, main")?.append(root);
  root.showPopover();
  at.setAttribute("aria-expanded", "true");
  const box = at.getBoundingClientRect();
  const below = box.bottom + root.offsetHeight + 4 <= innerHeight;
  root.style.top = `${below ? box.bottom + 4 : Math.max(4, box.top - root.offsetHeight - 4)}px`;
  root.style.left = `${Math.max(4, Math.min(box.left, innerWidth - root.offsetWidth - 8))}px`;
  (root.firstElementChild as HTMLElement).focus();
}

root.addEventListener("toggle", (event) => {
  if ((event as ToggleEvent).newState !== "closed") return;
  opener?.setAttribute("aria-expanded", "false");
  if (root.contains(document.activeElement) || document.activeElement === document.body) opener?.focus();
});

root.addEventListener("keydown", (event) => {
  const items = [...root.children] as HTMLElement[];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const target = {
    ArrowDown: items[(at + 1) % items.length],
    ArrowUp: items[(at - 1 + items.length) % items.length],
    Home: items[0],
    End: items.at(-1),
  }[event.key];
  if (event.key === "Tab") root.hidePopover();
  else if (!target) return;
  event.preventDefault();
  event.stopPropagation();
  target?.focus();
});
