// Files for a message: they travel inside of it, so pictures are scaled down until they fit.

import type { Part } from "./types.ts";

/** A message with its files has up to 1 MiB, and base64 adds a third. */
export const MAX_FILE_BYTES = 700_000;
const LONGEST_SIDE = 2048;

export class TooLarge extends Error {}

/** The part of a file; throws TooLarge if it does not fit into a message. */
export async function filePart(file: File): Promise<Part> {
  const fits = file.size <= MAX_FILE_BYTES;
  const isPhoto = /^image\/(?:jpeg|png|webp|avif|heic|bmp)$/.test(file.type);
  const content = fits || !isPhoto ? file : await scaled(file);
  if (content.size > MAX_FILE_BYTES) throw new TooLarge(file.name);
  const name = content === file ? file.name : file.name.replace(/\.\w+$/, "") + ".jpg";
  const mediaType = content.type || "application/octet-stream";
  return { type: "file", mediaType, url: await dataUrl(content), filename: name || "picture" };
}

async function scaled(file: File): Promise<Blob> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new TooLarge(file.name);
  });
  let side = Math.min(LONGEST_SIDE, Math.max(bitmap.width, bitmap.height));
  try {
    for (;;) {
      const factor = side / Math.max(bitmap.width, bitmap.height);
      const canvas = document.createElement("canvas");
      canvas.width = Math.max(1, Math.round(bitmap.width * factor));
      canvas.height = Math.max(1, Math.round(bitmap.height * factor));
      const context = canvas.getContext("2d");
      if (context === null) throw new TooLarge(file.name);
      // JPEG has no transparency.
      context.fillStyle = "white";
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise<Blob | null>((go) => canvas.toBlob(go, "image/jpeg", 0.85));
      if (blob === null) throw new TooLarge(file.name);
      if (blob.size <= MAX_FILE_BYTES) return blob;
      side = Math.round(side * 0.75);
    }
  } finally {
    bitmap.close();
  }
}

function dataUrl(content: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(String(reader.result)));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(content);
  });
}
