#!/usr/bin/env bash
# Package: ImageHash 4.3.2 (with Pillow 13.0.0).
#
# Behaviour: `colorhash` has one bin of hues from red to yellow (0 to 60 degrees) and one from magenta to red (300 to 360). So red is no bin
# but a border: two reds to either side of it are as far from each other as two colours can be, and red and yellow are the same. And a
# share of the picture, in eighths, is written in three bits that are no number: at least four, at least two, and odd. So four eighths and six
# have the same bits, as have five and seven.
#
# Seen: pictures of one colour by its hue, and red pictures with a share of black. Two single colours are 6 apart at most.
#
#     355 and 5 degrees (two reds)        6
#     5 and 55 degrees (red, yellow)      0
#     65 and 115 degrees (lime, green)    0
#     115 and 125 degrees (two greens)    6
#     5 and 185 degrees (red, cyan)       6
#     black 3/8 and 4/8                   2
#     black 4/8 and 6/8                   0
#     black 5/8 and 7/8                   0
#
# Why guesses are wrong: with six bins one expects a bin for each of red, yellow, green, cyan, blue and magenta, with its colour in the
# middle; here all six are borders, where the colours of things are most often. The same dress in two lights
# changes as much as from red to blue. And the Hamming distance of a share is expected to grow with the difference: of what covers half of
# the picture and three quarters it sees nothing.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ImageHash==4.3.2 pillow==13.0.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import colorsys
import sys

import imagehash
from PIL import Image


def plain(degrees):
    return Image.new("RGB", (64, 64), tuple(round(255 * part) for part in colorsys.hsv_to_rgb(degrees / 360, 0.9, 0.8)))


def partly_black(eighths):
    picture = Image.new("RGB", (64, 64), (200, 30, 30))
    picture.paste((0, 0, 0), (0, 0, 64, 8 * eighths))
    return picture


def distance(one, other):
    return int(imagehash.colorhash(one) - imagehash.colorhash(other))


seen = {}
for one, other in ((355, 5), (5, 55), (65, 115), (115, 125), (175, 185), (235, 245), (5, 185)):
    seen[one, other] = distance(plain(one), plain(other))
    print(f"{one} and {other} degrees: {seen[one, other]}")
for one, other in ((3, 4), (4, 6), (5, 7)):
    seen["black", one, other] = distance(partly_black(one), partly_black(other))
    print(f"black {one}/8 and {other}/8: {seen['black', one, other]}")
is_as_seen = [seen[pair] for pair in ((355, 5), (5, 55), (65, 115), (115, 125), (5, 185))] == [6, 0, 0, 6, 6]
is_as_seen &= [seen["black", *pair] for pair in ((3, 4), (4, 6), (5, 7))] == [2, 0, 0]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
