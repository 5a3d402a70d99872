#!/usr/bin/env bash
# Package: ImageHash 4.3.2 (with Pillow 13.0.0).
#
# Behaviour: two hashes of `phash` (and of `whash`) never differ in an odd number of bits. Each sets a bit where a value is above the
# median, so that every hash has 32 of its 64 bits set, and two sets of one size differ by an even number. And the hash of a mirror image is
# as far from the original's as the hash of another picture.
#
# Seen: 60 drawn pictures, all pairs, and each picture with its mirror image.
#
#                      odd distances    bits set    mean distance    to the mirror image
#     phash            none of 1,770    32          31.5             31.3
#     whash            none of 1,770    32          32.1             32.9
#     dhash            half of them     23 to 38    32.0             33.6
#     average_hash     half of them     26 to 37    32.1             32.2
#
# Why guesses are wrong: a distance from 0 to 64 looks like a scale of 65 steps. A limit of 11 lets pass what 10 does, so a step of
# one in a threshold changes nothing or twice as much as expected, and the distance of a random pair is no binomial. A mirror
# image looks much like its original to people; whoever wants to find it has to compare with the mirrored hash, too.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ImageHash==4.3.2 pillow==13.0.0 numpy==2.4.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import imagehash
import numpy as np
from PIL import Image

PICTURES = 60


def picture(seed):
    patches = np.random.default_rng(seed).random((8, 8, 3))
    return Image.fromarray((patches * 255).astype(np.uint8)).resize((256, 256), Image.Resampling.BICUBIC)


pictures = [picture(seed) for seed in range(PICTURES)]
mirrored = [each.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for each in pictures]
always_even = {imagehash.phash: True, imagehash.whash: True, imagehash.dhash: False, imagehash.average_hash: False}
unchanged = True
print(f"{'':16}odd distances   bits set   mean distance   to the mirror image")
for method, even in always_even.items():
    hashes = [method(each) for each in pictures]
    distances = [hashes[one] - hashes[other] for one in range(PICTURES) for other in range(one)]
    odd = sum(distance % 2 for distance in distances)
    bits = {int(each.hash.sum()) for each in hashes}
    mirror = np.mean([each - method(other) for each, other in zip(hashes, mirrored, strict=True)])
    spread = f"{min(bits)}-{max(bits)}"
    print(f"{method.__name__:16}{f'{odd} of {len(distances)}':16}{spread:11}{np.mean(distances):<16.1f}{mirror:.1f}")
    unchanged &= (odd == 0 and bits == {32}) if even else odd > len(distances) / 3
    unchanged &= abs(mirror - np.mean(distances)) < 4
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
