#!/usr/bin/env bash
# Package: kornia-rs 0.2.0 (image decoding for Python, in Rust; with NumPy 2.4.6). Pillow 13.0.0 writes the files.
#
# Behaviour: a PNG with a palette of 17 to 256 colours comes back as a grey picture, whose greys are the numbers of the colours in the
# palette. Nothing is raised, neither by `read_image` nor by `read_image_png_u8` for "mono". A palette of up to 16 colours is an error, and
# so is one in a TIFF.
#
# Seen: a circle of one colour on white, with soft edges, reduced to a palette by Pillow. The middle of the circle and the corner.
#
#     circle    colours    as RGB, by kornia-rs            with a palette, by kornia-rs    as grey, by Pillow
#     red       173        200 30 40, 255 255 255          115, 0                          82, 255
#     blue      173        30 40 200, 255 255 255          115, 0                          55, 255
#     yellow    116        240 220 60, 255 255 255         84, 0                           208, 255
#     black     96         10 10 10, 255 255 255           86, 0                           10, 255
#     black     16         10 10 10, 255 255 255           an error                        10, 255
#
# Why guesses are wrong: the documentation lists what is read ("8-bit, 16-bit (Mono, RGB, RGBA)"), and what is not on such a list is
# expected to be an error, as small palettes are; what comes back is said to be an image, and a grey one is nothing strange. Every tool that
# makes PNGs small for the web (pngquant and its like) makes palettes, and browsers, Pillow and OpenCV show the colours. White becomes black
# here, as it is the commonest and so the first colour; red and blue are the same; and the same photo, saved by another tool whose palette
# has another order, is another picture. Embeddings, hashes and filters by colour of just the optimised photos are of noise.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check kornia-rs==0.2.0 numpy==2.4.6 pillow==13.0.0
cd "$work"
venv/bin/python - <<'PY'
import sys

import kornia_rs
from PIL import Image, ImageDraw

SEEN = [
    ("red", (200, 30, 40), 256, [115, 0]),
    ("blue", (30, 40, 200), 256, [115, 0]),
    ("yellow", (240, 220, 60), 256, [84, 0]),
    ("black", (10, 10, 10), 256, [86, 0]),
    ("black", (10, 10, 10), 16, None),
]
MIDDLE, CORNER = (128, 128), (2, 2)


def circle(colour):
    small = Image.new("RGB", (64, 64), (255, 255, 255))
    ImageDraw.Draw(small).ellipse((12, 12, 52, 52), fill=colour)
    return small.resize((256, 256), Image.Resampling.BICUBIC)


is_as_seen = True
for name, colour, most, seen in SEEN:
    picture = circle(colour)
    picture.save("rgb.png")
    reduced = picture.quantize(most)
    reduced.save("palette.png")
    right = kornia_rs.io.read_image("rgb.png")
    is_as_seen &= right.shape == (256, 256, 3) and right[MIDDLE].tolist() == list(colour) and right[CORNER].tolist() == [255, 255, 255]
    # By Pillow the file with a palette has the colours that the other one has.
    is_as_seen &= [reduced.convert("RGB").getpixel(at) for at in (MIDDLE, CORNER)] == [colour, (255, 255, 255)]
    try:
        read = kornia_rs.io.read_image("palette.png")
    except Exception as error:
        numbers, is_error = None, "bit depth" in str(error)
        print(f"{name:8}{len(reduced.getcolors()):<6}{error}")
        is_as_seen &= seen is None and is_error
        continue
    numbers = [int(read[at][0]) for at in (MIDDLE, CORNER)]
    greys = [reduced.convert("L").getpixel(at) for at in (MIDDLE, CORNER)]
    print(f"{name:8}{len(reduced.getcolors()):<6}{read.shape!s:18}{numbers!s:12}as grey, by Pillow: {greys}")
    is_as_seen &= read.shape == (256, 256, 1) and numbers == seen == [reduced.getpixel(at) for at in (MIDDLE, CORNER)]
    is_as_seen &= (kornia_rs.read_image_png_u8("palette.png", "mono") == read).all()
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
