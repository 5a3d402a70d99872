#!/usr/bin/env bash
# Package: opencv-python-headless 5.0.0.93 (Pillow 13.0.0 writes most of the files and reads all of them rightly; tifffile 2026.3.3 writes
# that of 16 bits).
#
# Behaviour: two things that OpenCV does to colours in TIFF files alone. Of a cut-out with 8 bits they come multiplied by the transparency,
# with `IMREAD_UNCHANGED` too, which gives the transparency beside them; with 16 bits, and in PNG and WebP, they come as they are. And of a
# TIFF in Lab, which Photoshop offers, white is cream and grey is brown.
#
# Seen: a picture of the colour 200 100 50 behind a transparency of 0, 130 and 255, with `IMREAD_UNCHANGED`.
#
#     PNG, WebP         200 100 50    200 100 50    200 100 50
#     TIFF, 16 bits     200 100 50    200 100 50    200 100 50
#     TIFF, 8 bits        0   0  0    102  51 25    200 100 50
#
# White, grey and black in Lab: 255 252 222, 142 131 115 and 0 0 0, where Pillow has 254 255 254, 128 128 128 and 1 0 1.
#
# Why guesses are wrong: a TIFF says whether its colours are multiplied already, and this one says that they are not. "Unchanged" is the name
# of the flag, and one format is not expected to do what the others do not, nor 8 bits what 16 do not. Laid on white, as one does with a
# cut-out, the transparency counts twice: edges, glass and shadows are too dark. Without the transparency the ground is black, where the same
# picture as PNG has the ground that it was cut from. In Lab one expects an error, or colours; a product on white becomes one on cream.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6 pillow==13.0.0 \
  tifffile==2026.3.3
cd "$work"
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np
import tifffile
from PIL import Image

COLOUR = [200, 100, 50]
KEPT, MULTIPLIED = [COLOUR] * 3, [[0, 0, 0], [102, 51, 25], COLOUR]
is_as_seen = True

pixels = np.array([[(*COLOUR, alpha) for alpha in (0, 130, 255)]] * 8, np.uint8)
cut_out = Image.fromarray(pixels)
cut_out.save("8.png")
cut_out.save("8.webp", lossless=True, exact=True)
cut_out.save("8.tif")
tifffile.imwrite("16.tif", pixels.astype(np.uint16) * 257, photometric="rgb", extrasamples=["unassalpha"])
with Image.open("8.tif") as picture:
    assert np.array_equal(np.asarray(picture), pixels)
for path, seen in {"8.png": KEPT, "8.webp": KEPT, "16.tif": KEPT, "8.tif": MULTIPLIED}.items():
    unchanged, plain = cv2.imread(path, cv2.IMREAD_UNCHANGED), cv2.imread(path, cv2.IMREAD_COLOR)
    found = (unchanged[0, :, 2::-1] // (257 if path == "16.tif" else 1)).tolist()
    print(f"{path:<9}{found}  {plain[0, :, ::-1].tolist()}")
    is_as_seen &= found == seen and unchanged[0, :, 3].tolist() == [each * (257 if path == "16.tif" else 1) for each in (0, 130, 255)]
    is_as_seen &= path == "16.tif" or plain[0, :, ::-1].tolist() == seen

greys = Image.new("RGB", (3, 8))
for x, grey in enumerate((255, 128, 0)):
    greys.paste((grey, grey, grey), (x, 0, x + 1, 8))
greys.convert("LAB").save("lab.tif")
with Image.open("lab.tif") as picture:
    by_pillow = np.asarray(picture.convert("RGB"))[0].tolist()
found = cv2.imread("lab.tif", cv2.IMREAD_COLOR)[0, :, ::-1].tolist()
print(f"Lab      {found}, by Pillow {by_pillow}")
is_as_seen &= found == [[255, 252, 222], [142, 131, 115], [0, 0, 0]]
is_as_seen &= by_pillow == [[254, 255, 254], [128, 128, 128], [1, 0, 1]]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
