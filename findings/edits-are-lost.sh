#!/usr/bin/env bash
# Package: pillow-jxl-plugin 1.3.8 (JPEG XL for Pillow; with Pillow 13.0.0).
#
# Behaviour: a JPEG that was opened from a file, changed in place and saved as JPEG XL is saved unchanged. The plugin's `_save` asks whether the
# image came from a JPEG and still has a file name, and then packs the file's bytes, not the image: `thumbnail()`, `paste()`, a drawing and
# `exif_transpose(in_place=True)` leave both as they are. The EXIF data of the file come along. A warning says that the JPEG is
# reconstructed by default, once in a process.
#
# Seen: a photo of 400 x 300 pixels with a red square and a camera's name in its EXIF data, changed and saved in two formats.
#
#     changed by                   as WebP    as JPEG XL
#     thumbnail to 64 px           64 x 48    400 x 300
#     grey pasted on the square    grey       red
#     a mark drawn on it           there      not there
#     the same, of a copy()        there      there
#     any: the camera's name       left out   kept
#
# Why guesses are wrong: what `save` writes is what the image shows, in each other format; lossless packing of a JPEG is known of JPEG XL, but
# as a thing that one asks for. Thumbnails come out as large as the originals, watermarks are missing, and a photo that was turned upright lies
# again. What was opened from a `BytesIO` is right, so that tests pass. Pass `lossless_jpeg=False`, or save a `copy()`, which has no file name.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow-jxl-plugin==1.3.8 pillow==13.0.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import os
import sys
import tempfile
import warnings

import pillow_jxl  # noqa: F401
from PIL import Image, ImageDraw

CAMERA = 0x0110
SQUARE = (150, 100, 250, 200)
warnings.simplefilter("ignore")
folder = tempfile.mkdtemp()
photo = os.path.join(folder, "photo.jpg")
drawn = Image.new("RGB", (400, 300), (200, 200, 200))
drawn.paste((230, 0, 0), SQUARE)
exif = Image.Exif()
exif[CAMERA] = "Camera 1"
drawn.save(photo, quality=92, exif=exif)


def saved(image, suffix, **options):
    path = os.path.join(folder, "saved" + suffix)
    image.save(path, **options)
    back = Image.open(path)
    back.load()
    return back


def is_red(image):
    red, green, _ = image.convert("RGB").getpixel((160, 110))
    return red > 200 and green < 60


def is_dark(image):
    return max(image.convert("RGB").getpixel((200, 150))) < 80


def opened(change):
    image = Image.open(photo)
    change(image)
    return image


small = opened(lambda image: image.thumbnail((64, 64)))
covered = opened(lambda image: image.paste((120, 120, 120), SQUARE))
written = opened(lambda image: ImageDraw.Draw(image).rectangle((190, 140, 210, 160), fill=(0, 0, 0)))
rows = {
    "size of the thumbnail": [saved(small, suffix).size for suffix in (".webp", ".jxl")],
    "red under the grey": [is_red(saved(covered, suffix)) for suffix in (".webp", ".jxl")],
    "black mark": [is_dark(saved(written, suffix)) for suffix in (".webp", ".jxl")],
    "black mark in a copy": [is_dark(saved(written.copy(), suffix)) for suffix in (".webp", ".jxl")],
    "black mark, lossless_jpeg=False": [is_dark(saved(written, ".jxl", lossless_jpeg=False))],
    "camera's name": [saved(covered, suffix).getexif().get(CAMERA) for suffix in (".webp", ".jxl")],
}
for name, row in rows.items():
    print(f"{name:32}", *row, sep="   ")
is_as_seen = list(rows.values()) == [
    [(64, 48), (400, 300)],
    [False, True],
    [True, False],
    [True, True],
    [True],
    [None, "Camera 1"],
]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
