/** Photos as the API needs them: the encoder sees 224 px, so that a camera's twelve megapixels are bytes for nothing. */

const SIDE = 640;
const QUALITY = 0.85;
const made = new WeakSet();

/**
 * A photo scaled down to 640 px and without its metadata, as WebP or, where the browser cannot write that, as JPEG. What the browser
 * cannot decode is returned as it is: the API may. What was scaled here is not scaled again.
 */
export async function scaled(photo) {
  if (made.has(photo)) return photo;
  const bitmap = await createImageBitmap(photo).catch(() => null);
  if (!bitmap) return photo;
  const scale = Math.min(1, SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  // JPEG has no transparency, and would show black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const encode = (type) => new Promise((resolve) => canvas.toBlob(resolve, type, QUALITY));
  const webp = await encode("image/webp");
  const small = webp?.type === "image/webp" ? webp : await encode("image/jpeg");
  if (small) made.add(small);
  return small ?? photo;
}

// In the session of the page, and of no other tab.
const KEPT = "similar-photo";

/** Keep a photo that was scaled, and which part of it is searched, for the session. Without storage, or room in it, nothing is kept. */
export async function keep(photo, crop) {
  const data = await new Promise((resolve) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.readAsDataURL(photo);
  });
  inStorage((storage) => storage.setItem(KEPT, JSON.stringify({ data, crop })));
}

/** The photo of the session, `{ photo, crop }`; null for none. */
export function kept() {
  const text = inStorage((storage) => storage.getItem(KEPT));
  if (!text) return null;
  const { data, crop } = JSON.parse(text);
  const [head, bytes] = data.split(",");
  const photo = new Blob([Uint8Array.from(atob(bytes), (each) => each.charCodeAt(0))], { type: head.slice("data:".length, -";base64".length) });
  made.add(photo);
  return { photo, crop };
}

export function forget() {
  inStorage((storage) => storage.removeItem(KEPT));
}

/** A browser may forbid storage, and has little of it; in the browser of an app it may be null. */
function inStorage(use) {
  try {
    return sessionStorage && use(sessionStorage);
  } catch (error) {
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}
