#!/usr/bin/env bash
# Package: ir-measures 0.4.3 (with pytrec-eval-terrier 0.5.11, NumPy 2.4.6).
#
# Behaviour: `RR` and `RR@10`, asked for in one call, are computed from two rankings. `RR` (as `P`, `AP` and `nDCG`, cut or not) sorts by
# scores of 32 bits, equal ones by id from Z to A; `RR@10` sorts by scores of 64 bits, equal ones by id from A to Z. So the reciprocal rank
# within the first ten is greater than the one of the whole list, and there is a hit at rank 1 where the precision at 1 is 0.
#
# Seen: nine products for one query, of which p1, the first in the run and the one with the best score, is the only relevant one.
#
#     scores                               RR      RR@10    P@1     AP      nDCG@10
#     all 1.0                              0.11    1.00     0.00    0.11    0.30
#     0.98, each 0.000000001 less          0.11    1.00     0.00    0.11    0.30
#     1,000,000,000 less the rank          0.11    1.00     0.00    0.11    0.30
#     1 / rank                             1.00    1.00     1.00    1.00    1.00
#
# Why guesses are wrong: a measure with a cut is taken for the same one on a shorter list, and can then only be less. One call of one
# library is expected to sort once. Cosines of vectors with 32 bits that were computed in 64, and ranks made into
# scores by subtraction from a great number, look distinct in the run, and half of the measures see ties. Give scores that are distinct in
# 32 bits, such as the rank's negative.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check ir-measures==0.4.3 pytrec-eval-terrier==0.5.11 numpy==2.4.6
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import ir_measures
from ir_measures import AP, RR, P, nDCG

MEASURES = [RR, RR @ 10, P @ 1, AP, nDCG @ 10]
RANKS = range(1, 10)
SCORES = {
    "all 1.0": [1.0 for _ in RANKS],
    "0.98, each 0.000000001 less": [0.98 - 1e-9 * rank for rank in RANKS],
    "1,000,000,000 less the rank": [1e9 - rank for rank in RANKS],
    "1 / rank": [1 / rank for rank in RANKS],
}
print(f"{'scores':30}" + "".join(f"{measure!s:10}" for measure in MEASURES))
seen = {}
for name, scores in SCORES.items():
    run = {"query": {f"p{rank}": score for rank, score in zip(RANKS, scores)}}
    values = ir_measures.calc_aggregate(MEASURES, {"query": {"p1": 1}}, run)
    seen[name] = [round(values[measure], 2) for measure in MEASURES]
    print(f"{name:30}" + "".join(f"{value:<10.2f}" for value in seen[name]))
*tied, distinct = seen.values()
is_as_seen = all(values == [0.11, 1.0, 0.0, 0.11, 0.3] for values in tied) and distinct == [1.0] * 5
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
