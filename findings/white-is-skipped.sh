#!/usr/bin/env bash
# Package: colorthief 0.2.1 (with Pillow 13.0.0).
#
# Behaviour: pixels whose red, green and blue are all above 250 are left out before anything is counted. The dominant colour of a photo that
# is white but for a small spot is that of the spot, and a photo that is white has none: an exception about empty pixels is raised, which is
# a plain `Exception`. And a palette has as many colours as were asked for, also where the picture has fewer: what is missing is made up of
# the boxes that the colours were sorted into, and can be a colour that no pixel has.
#
# Seen: pictures of 200 x 200, `quality=1` (every pixel counts).
#
#     white, a red spot on 0.25% of it: dominant          (204, 28, 28)
#     the same in (250, 250, 250) instead of white        (252, 252, 252)
#     white: dominant                                     Exception: Empty pixels when quantize.
#     red 70%, blue 30%: a palette of five                two reds and two blues, and the purple (160, 28, 120)
#     red alone: a palette of five                        (204, 28, 28) and four times (208, 28, 28)
#
# Why guesses are wrong: white is taken for the paper that a product stands on, but the shirt may be white as well: a catalogue whose colours
# are found so has no white products, and the white ones are as red as their labels. `get_palette(5)` is expected to give the five
# main colours there are, or fewer.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check colorthief==0.2.1 pillow==13.0.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import io
import sys

from colorthief import ColorThief
from PIL import Image

RED, BLUE = (200, 30, 30), (30, 30, 200)


def picture(ground, second, box):
    photo = Image.new("RGB", (200, 200), ground)
    photo.paste(second, box)
    file = io.BytesIO()
    photo.save(file, "PNG")
    file.seek(0)
    return ColorThief(file)


def dominant(thief):
    try:
        return thief.get_color(quality=1)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


SPOT, WHOLE, UPPER = (90, 90, 100, 100), (0, 0, 200, 200), (0, 0, 200, 60)
white = dominant(picture("white", RED, SPOT))
light = dominant(picture((250, 250, 250), RED, SPOT))
nothing = dominant(picture("white", "white", WHOLE))
two = picture(RED, BLUE, UPPER).get_palette(color_count=5, quality=1)
one = picture(RED, RED, WHOLE).get_palette(color_count=5, quality=1)
print("white, a red spot:", white)
print("nearly white, a red spot:", light)
print("white:", nothing)
print("red and blue, a palette of five:", two)
print("red, a palette of five:", one)
made_up = [colour for colour in two if 100 < colour[0] < 180 and 100 < colour[2] < 180]
is_as_seen = white == (204, 28, 28) and light == (252, 252, 252) and str(nothing).startswith("Exception: Empty pixels")
is_as_seen &= len(made_up) == 1 and len(one) == 5
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
