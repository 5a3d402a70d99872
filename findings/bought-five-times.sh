#!/usr/bin/env bash
# Package: RecTools 0.19.0 (metrics of recommendations, over tables of pandas 2.3.3; with NumPy 1.26.4).
#
# Behaviour: a test table in which a customer bought the same product several times makes several hits of one recommendation. All metrics that
# look at single places count it so: the precision of five recommendations with one right product among them is 1.0, NDCG goes
# above 1, also with `divide_by_achievable`, and recall gets nearer to 1. `HitRate` and `MRR` stay, and nothing is raised.
#
# Seen: five recommendations of which the first is right; the customer bought two products, and the one that was recommended so many times.
#
#     bought         1 time    2 times    5 times
#     Precision@5    0.20      0.40       1.00
#     Recall@5       0.50      0.67       0.83
#     F1Beta@5       0.29      0.50       0.91
#     MAP@5          0.50      0.67       0.83
#     NDCG@5         0.34      0.68       1.70
#     HitRate@5      1.00      1.00       1.00
#     MRR@5          1.00      1.00       1.00
#
# Why guesses are wrong: a list of purchases is what `Dataset` takes, adding up what a customer bought twice, and what the
# splitters hand on to the metrics, so that the same table is expected to do for both; and hits are expected to be counted among the k that were
# recommended, of which there is one. Whoever knows the trap expects the model to be punished, as the table has more to find. It is praised, and
# most where customers buy again: coffee, printer ink, cat food. A model that recommends what is bought often wins each comparison. Drop the
# duplicates of user and item first.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check rectools==0.19.0 pandas==2.3.3 numpy==1.26.4
TMPDIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import sys

import pandas as pd
from rectools import Columns
from rectools.metrics import MAP, MRR, NDCG, F1Beta, HitRate, Precision, Recall, calc_metrics

RIGHT, OTHER, TIMES = 10, 11, (1, 2, 5)
METRICS = {"Precision@5": Precision(5), "Recall@5": Recall(5), "F1Beta@5": F1Beta(5), "MAP@5": MAP(5), "NDCG@5": NDCG(5)}
METRICS |= {"NDCG@5, achievable": NDCG(5, divide_by_achievable=True), "HitRate@5": HitRate(5), "MRR@5": MRR(5)}
recommended = pd.DataFrame({Columns.User: 1, Columns.Item: [RIGHT, 20, 21, 22, 23], Columns.Rank: [1, 2, 3, 4, 5]})


def seen(times):
    bought = pd.DataFrame({Columns.User: 1, Columns.Item: [OTHER] + [RIGHT] * times})
    return calc_metrics(METRICS, recommended, bought)


columns = [seen(times) for times in TIMES]
print(f"{'bought':20}" + "".join(f"{f'{times} times':10}" for times in TIMES))
for name in METRICS:
    print(f"{name:20}" + "".join(f"{column[name]:<10.2f}" for column in columns))
once, _, often = columns
is_as_seen = round(once["Precision@5"], 2) == 0.2 and round(often["Precision@5"], 2) == 1.0
is_as_seen &= often["NDCG@5"] > 1.5 and often["NDCG@5, achievable"] > 1.5 and often["Recall@5"] > 0.8
is_as_seen &= once["MRR@5"] == often["MRR@5"] and once["HitRate@5"] == often["HitRate@5"]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
