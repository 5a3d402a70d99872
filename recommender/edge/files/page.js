// Answers "what looks like this photo?" in the browser: LiteRT.js runs the model, and every vector is compared.
import { loadAndCompile, loadLiteRt, Tensor } from "./litertjs/core/dist/index.js";

const LIMIT = 12;
const element = (id) => document.getElementById(id);
const read = async (path, how) => {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path} cannot be read: status ${response.status}`);
  return response[how]();
};

async function load() {
  const about = await read("../edge.json", "json");
  const [cards, points, vectors] = await Promise.all([
    read(`../${about.cards}`, "json"),
    read("points.json", "json"),
    read("vectors.f32", "arrayBuffer"),
    loadLiteRt(new URL("litertjs/core/wasm/", location.href).href),
  ]);
  const model = await loadAndCompile(`../${about.model}`, { accelerator: "wasm" });
  const byId = new Map(cards.map((card) => [card.id, card]));
  return { about, cards: points.map((id) => byId.get(id)), vectors: new Float32Array(vectors), model };
}

// The pixels of a photo, on white, upright, in sRGB.
async function pixelsOf(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, bitmap.width, bitmap.height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  return { width: bitmap.width, height: bitmap.height, data };
}

// As Pillow resizes with a reducing gap, to the last bit: blocks are averaged first, then comes an antialiased triangle filter.
// A model of int8 turns another last bit into other thousandths of a score.
function resized({ width, height, data }, side, gap) {
  const across = Math.max(1, Math.floor(width / side / gap));
  const down = Math.max(1, Math.floor(height / side / gap));
  const columns = Math.ceil(width / across);
  const rows = Math.ceil(height / down);
  const small = across * down > 1 ? averaged(data, width, height, across, down) : data;
  const narrow = filtered(small, columns, rows, triangles(columns, width / across, side));
  return turned(filtered(turned(narrow, side, rows), rows, side, triangles(rows, height / down, side)), side, side);
}

function averaged(data, width, height, across, down) {
  const columns = Math.ceil(width / across);
  const made = new Uint8ClampedArray(columns * Math.ceil(height / down) * 4);
  for (let top = 0, place = 0; top < height; top += down) {
    for (let left = 0; left < width; left += across, place += 4) {
      const bottom = Math.min(top + down, height);
      const right = Math.min(left + across, width);
      const count = (bottom - top) * (right - left);
      for (let channel = 0; channel < 3; channel++) {
        let sum = Math.floor(count / 2);
        for (let row = top; row < bottom; row++) {
          for (let column = left; column < right; column++) sum += data[(row * width + column) * 4 + channel];
        }
        made[place + channel] = Math.floor(sum / count);
      }
    }
  }
  return made;
}

// Pillow counts in whole numbers of this many bits behind the point.
const ONE = 2 ** 22;

function triangles(size, length, side) {
  const scale = length / side;
  const support = Math.max(1, scale);
  return Array.from({ length: side }, (_, place) => {
    const centre = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(size, Math.trunc(centre + support + 0.5));
    const weights = [];
    for (let each = start; each < end; each++) weights.push(Math.max(0, 1 - Math.abs((each - centre + 0.5) / support)));
    const sum = weights.reduce((one, other) => one + other, 0);
    return { start, weights: weights.map((weight) => Math.floor((weight / sum) * ONE + 0.5)) };
  });
}

// Each row of RGBA pixels as weighted sums.
function filtered(data, width, height, sums) {
  const made = new Uint8ClampedArray(sums.length * height * 4);
  for (let row = 0; row < height; row++) {
    sums.forEach(({ start, weights }, place) => {
      for (let channel = 0; channel < 3; channel++) {
        let sum = ONE / 2;
        for (let each = 0; each < weights.length; each++) {
          sum += weights[each] * data[(row * width + start + each) * 4 + channel];
        }
        made[(row * sums.length + place) * 4 + channel] = Math.floor(sum / ONE);
      }
    });
  }
  return made;
}

function turned(data, width, height) {
  const made = new Uint8ClampedArray(data.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let channel = 0; channel < 3; channel++) {
        made[(column * height + row) * 4 + channel] = data[(row * width + column) * 4 + channel];
      }
    }
  }
  return made;
}

async function encoded({ about, model }, file) {
  const { input_size: side, reducing_gap: gap, scale } = about.preprocessing;
  const pixels = resized(await pixelsOf(file), side, gap);
  const photo = new Float32Array(side * side * 3);
  for (let each = 0; each < side * side; each++) {
    for (let channel = 0; channel < 3; channel++) photo[each * 3 + channel] = pixels[each * 4 + channel] * Math.fround(scale);
  }
  const input = new Tensor(photo, [1, side, side, 3]);
  const [output] = await model.run(input);
  const vector = await output.data();
  const length = Math.hypot(...vector);
  const unit = Float32Array.from(vector, (value) => value / length);
  input.delete();
  output.delete();
  return unit;
}

function cosine(vectors, one, vector, other, dim) {
  let sum = 0;
  for (let each = 0; each < dim; each++) sum += vectors[one * dim + each] * vector[other * dim + each];
  return sum;
}

// One product of each family, and one of those that show the same picture.
function nearest({ about, cards, vectors }, vector) {
  const { dim, same_picture_cosine: same } = about;
  const scores = cards.map((_, point) => cosine(vectors, point, vector, 0, dim));
  const order = [...scores.keys()].sort((one, other) => scores[other] - scores[one]);
  const families = new Set();
  const found = [];
  for (const point of order) {
    const card = cards[point];
    if (!families.has(card.family) && !found.some((each) => cosine(vectors, point, vectors, each.point, dim) >= same)) {
      found.push({ point, score: scores[point], card });
    }
    families.add(card.family);
    if (found.length === LIMIT) break;
  }
  return found;
}

function shown({ score, card }) {
  const item = document.createElement("li");
  if (card.photo) item.append(Object.assign(new Image(), { src: `../${card.photo}`, alt: "" }));
  item.append(card.title || card.sku);
  const small = document.createElement("small");
  small.textContent = `${score.toFixed(4)} · ${card.sku}`;
  item.append(small);
  item.dataset.sku = card.sku;
  item.dataset.score = score;
  return item;
}

async function main() {
  const shop = await load();
  element("left-out").textContent = shop.about.parts
    ? "This page compares shapes alone: colour and pattern count in similar.py, not here."
    : "";
  element("status").textContent = `${shop.about.products} products. Choose a photo.`;
  element("photo").addEventListener("change", async ({ target }) => {
    try {
      element("status").textContent = "The photo is compared …";
      element("results").replaceChildren(...nearest(shop, await encoded(shop, target.files[0])).map(shown));
      element("status").textContent = `${element("results").children.length} similar products`;
    } catch (error) {
      element("results").replaceChildren();
      element("status").textContent = `This photo cannot be used: ${error.message ?? error}`;
    }
  });
}

main().catch((error) => {
  element("status").textContent = `The page cannot be used: ${error.message ?? error}`;
});
