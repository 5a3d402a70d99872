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
