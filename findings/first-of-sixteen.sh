#!/usr/bin/env bash
# Package: ranx 0.3.21 (with numba as it brings it, NumPy 2.4.6).
#
# Behaviour: results with the same score keep the order in which they were given in a list of up to 15, and are shuffled in a longer one, by a
# sort that is not stable. So the measures of a ranking with ties depend on its length: the same results, one more at the end, and the
# reciprocal rank of the first one falls from 1 to 1/15.
#
# Seen: rank of the first, the second and the last result of a list with one score, by `evaluate(..., "mrr")`.
#
#     15 results    1, 2, 15
#     16 results    15, 14, 16
#     50 results    26, 27, 37
#     100 results   73, 72, 87
#
# Why guesses are wrong: ties are common where scores are whole numbers (matching words, grades of a rule) or were rounded, and one expects
# either the order of the list, as it is shown to people, or an order by id, as trec_eval has it; at the least one that does not change
# where a result is added behind the others. Cutting a run at 10 before or after it is evaluated gives different figures.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ranx==0.3.21 numpy==2.4.6
TMPDIR="$work" NUMBA_CACHE_DIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import sys

from ranx import Qrels, Run, evaluate


def rank(length, place):
    """Where the result at this place of a list with one score is found."""
    ids = [f"p{number:03d}" for number in range(length)]
    reciprocal = evaluate(Qrels({"query": {ids[place]: 1}}), Run({"query": dict.fromkeys(ids, 1.0)}), "mrr")
    return round(1 / float(reciprocal))


seen = {length: [rank(length, place) for place in (0, 1, length - 1)] for length in (5, 15, 16, 50, 100)}
for length, ranks in seen.items():
    print(f"{length} results: {ranks}")
sys.exit(0 if seen[5] == [1, 2, 5] and seen[15] == [1, 2, 15] and seen[16][0] > 10 else "it behaves in another way now")
PY
