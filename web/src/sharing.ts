// The links that open a thread to others: made, copied and revoked in a dialog.

import type { Api } from "./api.ts";
import { clock, day } from "./dates.ts";
import { button, byId, element } from "./dom.ts";
import { sharedAddress } from "./shared.ts";

const dialog = byId<HTMLDialogElement>("share");
const links = byId("share-links");

/** Shows the links of a thread. */
export async function shareThread(api: Api, key: string, onError: (error: unknown) => void): Promise<void> {
  const guard = async (act: () => Promise<void>): Promise<void> => {
    try {
      await act();
    } catch (error) {
      dialog.close();
      onError(error);
    }
  };
  const draw = async (): Promise<void> => {
    const { shares } = await api.listShares(key);
    links.replaceChildren(
      ...shares.map(({ shareId, createdAt, expiresAt }) => {
        const row = element("li", "", `Made ${clock(createdAt)}${expiresAt ? `, until ${day(expiresAt)}` : ""}`);
        row.append(
          button("link", "Revoke", () =>
            guard(async () => {
              await api.deleteShare(key, shareId);
              await draw();
            }),
          ),
        );
        return row;
      }),
    );
  };
  byId("share-new").onclick = () =>
    guard(async () => {
      const { token } = await api.shareThread(key);
      await draw();
      const field = element("input");
      field.readOnly = true;
      field.value = sharedAddress(token);
      field.ariaLabel = "Address of the link";
      const row = element("li", "new");
      const copy = button("button", "Copy", async () => {
        await navigator.clipboard.writeText(field.value);
        copy.textContent = "Copied";
      });
      row.append(field, copy);
      links.prepend(row);
      field.focus();
      field.select();
    });
  await guard(async () => {
    await draw();
    dialog.showModal();
  });
}

/** Downloads a thread as a file. */
export async function exportThread(api: Api, key: string, format: "markdown" | "json"): Promise<void> {
  const response = await api.exportThread(key, format);
  const name = /filename\*=UTF-8''([^;]+)/.exec(response.headers.get("Content-Disposition") ?? "")?.[1];
  const anchor = element("a");
  anchor.download = name ? decodeURIComponent(name) : `${key}.${format === "json" ? "json" : "md"}`;
  anchor.href = URL.createObjectURL(await response.blob());
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 60_000);
}
