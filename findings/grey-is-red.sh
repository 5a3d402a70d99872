#!/usr/bin/env bash
# Package: colorgram.py 1.2.0 (with Pillow 13.0.0).
#
# Behaviour: pixels are put together by hue, lightness and luminance, four steps each, and not by saturation. A grey has the hue 0, which is
# red's. So grey and red of like lightness are one colour, their mean, which is nowhere in the picture; grey and blue are two. `proportion`
# is the share among the colours that were asked for, not of the picture, as the readme has it: the first of one has 1.0. And pixels that are
# transparent count like others.
#
# Seen: pictures of plain stripes, and the colours that are found.
#
#     red 50 %, grey 50 %                    (160, 75, 75) 1.0
#     blue 50 %, grey 50 %                   (30, 30, 200) 0.5, (120, 120, 120) 0.5
#     red 5 %, grey 95 %                     (124, 115, 115) 1.0
#     white 40, green 30, blue 20, grey 10   white 0.4, green 0.3, blue 0.2, grey 0.1
#     the same, one colour asked for         white 1.0
#     the same, two asked for                white 0.571, green 0.429
#     green on 80 % transparent              black 0.8, green 0.2
#
# Why guesses are wrong: with a dozen colours asked for and two in a picture one expects these two; where colours blur into each other one
# expects neighbours, two greys or two reds. Red things on grey, or steel with red handles, come out as dull pink. A rule such as
# "white if more than 0.9 of the picture" hits every picture that has more white than anything else when it asks for one colour.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check colorgram.py==1.2.0 pillow==13.0.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import colorgram
from PIL import Image

RED, GREY, BLUE, GREEN, WHITE = (200, 30, 30), (120, 120, 120), (30, 30, 200), (30, 160, 60), (255, 255, 255)
FOUR = [(40, WHITE), (30, GREEN), (20, BLUE), (10, GREY)]
CLEAR = (0, 0, 0, 0)


def found(stripes, number=12, mode="RGB"):
    picture = Image.new(mode, (100, 100))
    top = 0
    for height, colour in stripes:
        picture.paste(colour, (0, top, 100, top + height))
        top += height
    return [(tuple(colour.rgb), round(colour.proportion, 3)) for colour in colorgram.extract(picture, number)]


CASES = {
    "red 50 %, grey 50 %": (found([(50, RED), (50, GREY)]), [((160, 75, 75), 1.0)]),
    "blue 50 %, grey 50 %": (found([(50, BLUE), (50, GREY)]), [(BLUE, 0.5), (GREY, 0.5)]),
    "red 5 %, grey 95 %": (found([(5, RED), (95, GREY)]), [((124, 115, 115), 1.0)]),
    "four, all asked for": (found(FOUR), [(WHITE, 0.4), (GREEN, 0.3), (BLUE, 0.2), (GREY, 0.1)]),
    "four, one asked for": (found(FOUR, 1), [(WHITE, 1.0)]),
    "four, two asked for": (found(FOUR, 2), [(WHITE, 0.571), (GREEN, 0.429)]),
    "green on transparent": (found([(80, CLEAR), (20, (*GREEN, 255))], mode="RGBA"), [((0, 0, 0), 0.8), (GREEN, 0.2)]),
}
for name, (seen, _) in CASES.items():
    print(f"{name:24} {', '.join(f'{rgb} {share}' for rgb, share in seen)}")
is_as_seen = all(sorted(seen) == sorted(expected) for seen, expected in CASES.values())
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
