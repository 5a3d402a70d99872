#!/usr/bin/env bash
# Package: opencv-contrib-python-headless 5.0.0.93 (OpenCV's perceptual hashes, `cv2.img_hash`; with NumPy 2.4.6).
#
# Behaviour: an object of `RadialVarianceHash` or `MarrHildrethHash` that gets a photo in grey keeps the caller's own array, and the next
# photo in colour of the same size is turned into grey inside it: the first photo's pixels are then the second's. With `ColorMomentHash` it
# is the other way round: a photo in colour is overwritten by the next one in grey. The other hashes, and the functions
# (`radialVarianceHash(photo)`), leave photos alone.
#
# Seen: one object, six photos of a catalogue, of one size: grey, colour, grey, colour, grey, colour.
#
#     hash                  photos whose pixels are another's    other hashes in a second round
#     AverageHash           none                                 0
#     PHash                 none                                 0
#     BlockMeanHash         none                                 0
#     RadialVarianceHash    1st, 3rd, 5th: the next photo's      3
#     MarrHildrethHash      1st, 3rd, 5th: the next photo's      3
#     ColorMomentHash       2nd, 4th: the next photo's           2
#
# Why guesses are wrong: a function with an input and an output is expected to leave its input as it is; grey photos are valid ones by the
# docs, and hashed rightly the first time. With photos that are all in colour, all in grey, or of different sizes nothing happens, and
# neither with a new object for each photo. What is changed are arrays that were read before, for an index, a thumbnail or an encoder: the
# shop shows or embeds another product's photo, and whoever compares the photos finds exact duplicates that are none.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check opencv-contrib-python-headless==5.0.0.93 numpy==2.4.6
cd "$work"
venv/bin/python - <<'PY'
import sys

import cv2
import numpy as np

OVERWRITTEN = {
    "AverageHash": [],
    "PHash": [],
    "BlockMeanHash": [],
    "RadialVarianceHash": [0, 2, 4],
    "MarrHildrethHash": [0, 2, 4],
    "ColorMomentHash": [1, 3],
}
SIDE, COUNT = 200, 6


def photo(seed):
    """A white photo with coloured discs; every second one is in grey."""
    draw = np.random.default_rng(seed)
    drawn = np.full((SIDE, SIDE, 3), 255, np.uint8)
    for _ in range(8):
        place = tuple(int(number) for number in draw.integers(20, 180, 2))
        colour = tuple(int(number) for number in draw.integers(0, 255, 3))
        cv2.circle(drawn, place, int(draw.integers(10, 60)), colour, -1)
    return cv2.cvtColor(drawn, cv2.COLOR_BGR2GRAY) if seed % 2 == 0 else drawn


def grey(pixels):
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)


is_as_seen = True
for name, expected in OVERWRITTEN.items():
    create = getattr(cv2.img_hash, f"{name}_create")
    photos = [photo(seed) for seed in range(COUNT)]
    hasher = create()
    first = [hasher.compute(pixels).copy() for pixels in photos]
    changed = [seed for seed, pixels in enumerate(photos) if not np.array_equal(pixels, photo(seed))]
    are_next = all(np.array_equal(grey(photos[seed]), grey(photo(seed + 1))) for seed in changed)
    second = [create().compute(pixels) for pixels in photos]
    others = sum(not np.array_equal(one, other) for one, other in zip(first, second, strict=True))
    print(f"{name:20}overwritten: {changed!s:12}hashes that are others: {others}")
    is_as_seen &= changed == expected and are_next and others == len(changed)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
