// Which model answers, where the server leaves a choice.

import { type Api, ApiError } from "./api.ts";
import { byId } from "./dom.ts";

const NAME = "pgthreads.model";
const control = byId<HTMLSelectElement>("model");

/** Offers the models of the server, if there are several. */
export async function startModels(api: Api): Promise<void> {
  control.addEventListener("change", () => {
    api.model = control.value;
    localStorage.setItem(NAME, control.value);
  });
  try {
    const { models, default: usual } = await api.listModels();
    if (models.length < 2) return;
    control.replaceChildren(...models.map((name) => new Option(name, name)));
    const kept = localStorage.getItem(NAME);
    control.value = models.find((name) => name === kept) ?? usual ?? models[0] ?? "";
    api.model = control.value;
    control.closest("label")?.removeAttribute("hidden");
  } catch (error) {
    // Then the server's own model answers.
    if (!(error instanceof ApiError)) throw error;
  }
}
