#!/usr/bin/env bash
# Package: opencv-python-headless 5.0.0.93 (the files are written by pillow 13.0.0).
#
# Behaviour: `imread` and `imdecode` turn a photo upright by the orientation that its file says, in JPEG, PNG and WebP. In AVIF, where the
# orientation is a property of the image (`irot`, `imir`) and not a part of the EXIF data, they leave it lying. In TIFF `imdecode` turns it with
# each flag, `IMREAD_UNCHANGED` too, and `imread` gives None for a picture that has to change its width with its height.
#
# Seen: a photo of 64 x 32 pixels, red on its left, that is to be shown turned, 32 x 64 with red at the top; written in five formats.
#
#     format    Pillow, exif_transpose    imdecode    imread      imdecode, IMREAD_UNCHANGED
#     JPEG      upright                   upright     upright     as stored
#     PNG       upright                   upright     upright     as stored
#     WebP      upright                   upright     upright     as stored
#     TIFF      upright                   upright     None        upright
#     AVIF      upright                   as stored   as stored   as stored
#
# Why guesses are wrong: of a library that looks for the orientation in four formats one expects it in the fifth, which is made for photos,
# and in which a decoder has to apply the property: browsers show these files upright. The same photo gets another embedding, and boxes in
# other places, after it was converted to AVIF, and its hash is that of another picture. Files of cameras come as JPEG, so that the tests
# pass.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 pillow==13.0.0 numpy==2.4.6
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import io
import sys
import tempfile

import cv2
import numpy as np
from PIL import Image, ImageOps

ORIENTATION, TURNED = 0x0112, 6
drawn = Image.new("RGB", (64, 32), (0, 0, 255))
drawn.paste((255, 0, 0), (0, 0, 32, 32))


def lies(pixels):
    """Says how a picture of RGB pixels lies, by its size and by where it is red."""
    if pixels.shape[:2] == (64, 32) and pixels[3, 16, 0] > pixels[3, 16, 2]:
        return "upright"
    if pixels.shape[:2] == (32, 64) and pixels[16, 3, 0] > pixels[16, 3, 2]:
        return "as stored"
    return "otherwise"


seen = {}
for form in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
    exif, file = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = TURNED
    drawn.save(file, form, exif=exif)
    pillow = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(file.getvalue()))).convert("RGB"))
    coded = np.frombuffer(file.getvalue(), np.uint8)
    with tempfile.NamedTemporaryFile(suffix="." + form.lower()) as stored:
        stored.write(file.getvalue())
        stored.flush()
        from_file = cv2.imread(stored.name)
    decoded, unchanged = (cv2.imdecode(coded, flag) for flag in (cv2.IMREAD_COLOR, cv2.IMREAD_UNCHANGED))
    seen[form] = [lies(pillow), *("None" if found is None else lies(found[:, :, ::-1]) for found in (decoded, from_file, unchanged))]
    print(f"{form:6}", *(f"{how:12}" for how in seen[form]))
by_exif = ["upright", "upright", "upright", "as stored"]
is_as_seen = seen == {
    "JPEG": by_exif,
    "PNG": by_exif,
    "WEBP": by_exif,
    "TIFF": ["upright", "upright", "None", "upright"],
    "AVIF": ["upright", "as stored", "as stored", "as stored"],
}
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
