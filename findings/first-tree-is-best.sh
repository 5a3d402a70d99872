#!/usr/bin/env bash
# Packages: LightGBM 4.7.0 and XGBoost 3.2.0 (xgboost-cpu), with NumPy 2.4.6 and SciPy 1.17.1.
#
# Behaviour: the ranking metrics that both compute while they train leave products with equal scores in the order of the rows. Where the rows of
# a query begin with the relevant ones, a model without any opinion is perfect, and as few trees give few scores, early stopping
# takes the first tree of all for the best model, reports an NDCG that the model is far from, and ends. Mean average precision does the same.
#
# Seen: 60 queries to train and 60 to stop by, each with 40 products of which 2 are relevant; at most 200 trees, patience of 20. Reported
# is NDCG@10 of the best round, true the same on the same rows with ties broken by lot, and on a third set with shuffled rows.
#
#     rows of a query      library     best round    reported    true    third set
#     relevant first       LightGBM    1             0.51        0.29    0.26
#                          XGBoost     1             0.50        0.29    0.27
#     shuffled             LightGBM    20            0.39        0.38    0.35
#                          XGBoost     33            0.37        0.37    0.33
#     constant model, relevant first: NDCG@10 is 1.00 with both, relevant last: 0.00
#
# Why guesses are wrong: a metric of a ranking is expected to depend on scores and grades; equal scores are taken for a rare case, which they are for
# the sum of a hundred trees and not for one. A row order is no leak as long as it is no feature. "The clicked product, then its sampled
# negatives" and "sorted by grade" are what tables of clicks and judgements look like, and the warning one would expect is a
# metric that is too good at the end: here it is too good at the start, training looks over-fitted from the first round, and a quarter of
# the quality is left lying. Shuffle the rows within each query of the set that stops the training.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy==2.4.6 scipy==1.17.1
TMPDIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import sys

import lightgbm
import numpy as np
import xgboost

QUERIES, PRODUCTS, RELEVANT, FEATURES, TOP, ROUNDS, PATIENCE = 60, 40, 2, 6, 10, 200, 20
GROUPS = [PRODUCTS] * QUERIES
QIDS = np.repeat(np.arange(QUERIES), PRODUCTS)
DISCOUNTS = 1 / np.log2(np.arange(2, TOP + 2))


def rows(seed, order):
    draw = np.random.default_rng(seed)
    features = draw.standard_normal((QUERIES, PRODUCTS, FEATURES))
    grades = np.zeros((QUERIES, PRODUCTS), dtype=int)
    grades[:, :RELEVANT] = 1
    features[:, :RELEVANT, :3] += 0.5
    if order == "shuffled":
        for query in range(QUERIES):
            places = draw.permutation(PRODUCTS)
            features[query], grades[query] = features[query][places], grades[query][places]
    if order == "relevant last":
        features, grades = features[:, ::-1], grades[:, ::-1]
    return features.reshape(-1, FEATURES).copy(), grades.ravel().copy()


def true_ndcg(scores, grades):
    """NDCG@10 with ties broken by lot."""
    draw = np.random.default_rng(9)
    values = []
    for query_scores, query_grades in zip(scores.reshape(QUERIES, -1), grades.reshape(QUERIES, -1)):
        lot = draw.permutation(PRODUCTS)
        found = query_grades[lot[np.argsort(-query_scores[lot], kind="stable")]][:TOP]
        values.append(found @ DISCOUNTS / DISCOUNTS[:RELEVANT].sum())
    return float(np.mean(values))


def by_lightgbm(train, stop, rounds=ROUNDS):
    learn = lightgbm.Dataset(*train, group=GROUPS)
    watch = lightgbm.Dataset(*stop, group=GROUPS, reference=learn)
    recipe = {"objective": "lambdarank", "metric": "ndcg", "eval_at": [TOP], "max_depth": 3, "num_leaves": 7, "learning_rate": 0.05}
    recipe |= {"verbose": -1, "num_threads": 1, "seed": 0}
    record = {}
    calls = [lightgbm.record_evaluation(record), lightgbm.early_stopping(PATIENCE, verbose=False)]
    model = lightgbm.train(recipe, learn, rounds, valid_sets=[watch], callbacks=calls)
    return model.best_iteration, max(record["valid_0"][f"ndcg@{TOP}"]), model.predict


def by_xgboost(train, stop, rounds=ROUNDS):
    learn, watch = (xgboost.DMatrix(features, grades, qid=QIDS) for features, grades in (train, stop))
    recipe = {"objective": "rank:ndcg", "eval_metric": f"ndcg@{TOP}", "max_depth": 3, "eta": 0.05, "nthread": 1, "seed": 0}
    record = {}
    options = {"evals": [(watch, "stop")], "evals_result": record, "early_stopping_rounds": PATIENCE, "verbose_eval": False}
    model = xgboost.train(recipe, learn, rounds, **options)
    best = model.best_iteration + 1
    return best, max(record["stop"][f"ndcg@{TOP}"]), lambda rows: model.predict(xgboost.DMatrix(rows), iteration_range=(0, best))


LIBRARIES = {"LightGBM": by_lightgbm, "XGBoost": by_xgboost}
third, seen, constant = rows(3, "shuffled"), {}, {}
print(f"{'rows of a query':18}{'library':11}{'best round':13}{'reported':11}{'true':7}third set")
for order in ("relevant first", "shuffled"):
    train, stop = rows(1, order), rows(2, order)
    for name, fit in LIBRARIES.items():
        best, reported, predict = fit(train, stop)
        seen[order, name] = best, reported, true_ndcg(predict(stop[0]), stop[1]), true_ndcg(predict(third[0]), third[1])
        best, *values = seen[order, name]
        print(f"{order:18}{name:11}{best:<13}" + "       ".join(f"{value:.2f}" for value in values))
for order in ("relevant first", "relevant last"):
    same = np.ones((QUERIES * PRODUCTS, 1)), rows(1, order)[1]
    constant[order] = [round(fit(same, same, rounds=1)[1], 2) for fit in LIBRARIES.values()]
    print(f"constant model, {order}:", *constant[order])
is_as_seen = constant == {"relevant first": [1.0, 1.0], "relevant last": [0.0, 0.0]}
for name in LIBRARIES:
    best, reported, true, final = seen["relevant first", name]
    is_as_seen &= best <= 3 and reported - true > 0.1 and final < seen["shuffled", name][3] - 0.03
    is_as_seen &= seen["shuffled", name][0] > 5 and abs(seen["shuffled", name][1] - seen["shuffled", name][2]) < 0.05
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
