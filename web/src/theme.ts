// Light, dark, or as the system has it.

import { byId } from "./dom.ts";

const NAME = "pgthreads.theme";
const THEMES = ["system", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];

const control = byId<HTMLSelectElement>("theme");

function show(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  control.value = theme;
}

export function startTheme(): void {
  const kept = localStorage.getItem(NAME);
  show(THEMES.find((theme) => theme === kept) ?? "system");
  control.addEventListener("change", () => {
    const theme = control.value as Theme;
    localStorage.setItem(NAME, theme);
    show(theme);
  });
}
