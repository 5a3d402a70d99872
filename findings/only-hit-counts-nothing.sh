#!/usr/bin/env bash
# Package: ranx 0.3.21 (with numba as it brings it, NumPy 2.4.6).
#
# Behaviour: `fuse` with its own choice of normalisation, "min-max", gives a list's only result 0, and so all results of a list whose scores
# are equal. "sum" and "zmuv" do, too. Whatever such a list found is worth what it did not find: the only product with the article number that
# was typed comes behind everything that the other list holds but its last one.
#
# Seen: by words, one product or three with one score; by vectors, ten others, v1 to v10, from 0.95 down to 0.50. The place of the first
# product that was found by words among all.
#
#     norm       one by words    three with one score    three with two scores
#     min-max    10              10                      1
#     sum        10              10                      1
#     zmuv       6               6                       2
#     max        1               1                       1
#     rank       1               1                       1
#
# Why guesses are wrong: scores are normalised so that the best of each list is worth 1, and the only one is the best. A list of one is no
# odd case in a shop but the exact hit: a number, a barcode, a brand's only chair; and equal scores are what such matches have. In an
# evaluation, queries with many results hide it. Pass `norm="max"` or `norm="rank"`, or fuse by ranks.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ranx==0.3.21 numpy==2.4.6
TMPDIR="$work" NUMBA_CACHE_DIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import inspect
import sys

from ranx import Run, fuse

VECTORS = {f"v{number}": 1 - 0.05 * number for number in range(1, 11)}
WORDS = {
    "one by words": {"w1": 20.0},
    "three with one score": {"w1": 20.0, "w2": 20.0, "w3": 20.0},
    "three with two scores": {"w1": 20.0, "w2": 10.0, "w3": 10.0},
}


def place(words, norm):
    """How many products are at or above the best place of those that were found by words."""
    fused = dict(fuse([Run({"query": words}), Run({"query": VECTORS})], norm=norm, method="sum").run["query"])
    return 1 + sum(fused[name] > fused["w1"] + 1e-9 for name in VECTORS)


seen = {norm: [place(words, norm) for words in WORDS.values()] for norm in ("min-max", "sum", "zmuv", "max", "rank")}
chosen = inspect.signature(fuse).parameters["norm"].default
print(f"{'norm':10}" + "   ".join(WORDS) + f"   (without a word: {chosen})")
for norm, places in seen.items():
    print(f"{norm:10}" + "   ".join(f"{where:<{len(name)}}" for where, name in zip(places, WORDS)))
is_as_seen = chosen == "min-max" and seen["min-max"] == [10, 10, 1] and seen["max"] == seen["rank"] == [1, 1, 1]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
