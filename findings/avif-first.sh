#!/usr/bin/env bash
# Package: Pillow 13.0.0 (images in Python), its AVIF format.
#
# Behaviour: `save(..., "AVIF", exif=exif)` takes the orientation out of the caller's `Exif` object, since AVIF has a place of its own for it.
# Whatever is saved with the same object afterwards, in any format, has no orientation. With `exif=photo.getexif()`, which hands out the photo's
# own object, the opened photo forgets it, too. Given as bytes (`photo.info["exif"]`) nothing is lost.
#
# Seen: a photo of 64 x 32 pixels that is to be shown turned, 32 x 64; saved with its EXIF data in one format, and then in another one.
#
#     first        then      shown by the second file    the opened photo after both
#     JPEG         WebP      32 x 64                     32 x 64
#     WebP         JPEG      32 x 64                     32 x 64
#     PNG          JPEG      32 x 64                     32 x 64
#     AVIF         JPEG      64 x 32                     64 x 32
#     AVIF         WebP      64 x 32                     64 x 32
#     AVIF         AVIF      64 x 32                     64 x 32
#     AVIF, bytes  JPEG      32 x 64                     32 x 64
#
# Why guesses are wrong: to save an image changes neither it nor the arguments, and the first file is right. A shop that makes an AVIF and a
# JPEG of each photo, the best format first, shows phones' photos upright in new browsers and lying in old ones; in the other order, as
# in most tests, all is well. And an embedding that is made of the opened photo afterwards sees it lying. The camera's other data stay,
# so that the object does not look damaged. Pass the bytes, or turn the pixels first.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import io
import sys

from PIL import Image, ImageOps

ORIENTATION = 0x0112
made = Image.Exif()
made[ORIENTATION] = 6
made[0x0110] = "Camera 1"
file = io.BytesIO()
Image.new("RGB", (64, 32), (200, 30, 30)).save(file, "JPEG", exif=made)


def shown(image):
    return ImageOps.exif_transpose(image).size


seen = {}
for first, second, as_bytes in (
    ("JPEG", "WEBP", False),
    ("WEBP", "JPEG", False),
    ("PNG", "JPEG", False),
    ("AVIF", "JPEG", False),
    ("AVIF", "WEBP", False),
    ("AVIF", "AVIF", False),
    ("AVIF", "JPEG", True),
):
    photo = Image.open(io.BytesIO(file.getvalue()))
    exif = photo.info["exif"] if as_bytes else photo.getexif()
    files = []
    for form in (first, second):
        files.append(io.BytesIO())
        photo.save(files[-1], form, exif=exif)
    sizes = [shown(Image.open(written)) for written in files] + [shown(photo)]
    print(f"{first:5} then {second:5}{'as bytes' if as_bytes else '':9}", *sizes)
    seen[first, second, as_bytes] = sizes
upright, lying = (32, 64), (64, 32)
is_as_seen = all(
    sizes == [upright, *[lying if first == "AVIF" and not as_bytes else upright] * 2]
    for (first, _, as_bytes), sizes in seen.items()
)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
