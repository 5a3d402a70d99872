#!/usr/bin/env bash
# Package: implicit 0.7.3 (recommendations from implicit feedback).
#
# Behaviour: what `recommend` is told to leave out comes back at the end of the list where less than `N` is left: items that the user has
# already, and those of `filter_items`. Factor models give them a score of -3.4e38; the item-to-item models one of 0.0, which another item
# may have, too, and with `items` they give all of these, more than `N`. `similar_items(items=...)` of a factor model is filled up with
# the first of the items, again and again, at a score of 0.0, which is above the true ones below zero.
#
# Seen: 200 users, 30 items, a third of them liked; `recommend(N=10)` among the 12 items of a category, chosen by `items`, or by
# `filter_items` with all others. How many hits there are, and how many of them were to be left out.
#
#                                    by items                        by filter_items
#     AlternatingLeastSquares        2,000 hits, 342 of them back    2,000 hits, 342 of them back
#     BayesianPersonalizedRanking    2,000 hits, 342 of them back    2,000 hits, 342 of them back
#     CosineRecommender              2,400 hits, 730 of them back    2,016 hits, 359 of them back
#
#     ten similar to item 5 among 1, 2, 3 and 4, by AlternatingLeastSquares:
#     item     2       4       1        3        1       1       1       1       1       1
#     score    0.49    0.19    -0.07    -0.49    0.00    0.00    0.00    0.00    0.00    0.00
#
# Why guesses are wrong: the documentation says of both parameters that such items are not returned; one expects a shorter list, or an id
# that is none, such as -1. With a whole catalogue to choose from it never happens, so that tests show nothing; in a small category
# it offers people what they have bought. Compare the ids with what was to be left out: the score does not tell for every model.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check implicit==0.7.3 scipy==1.17.1 numpy==2.4.0
TMPDIR="$work" OPENBLAS_NUM_THREADS=1 "$work/venv/bin/python" -W ignore - <<'PY'
import sys

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.bpr import BayesianPersonalizedRanking
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

USERS, ITEMS, TOP = 200, 30, 10
category, others = np.arange(12), np.arange(12, ITEMS)
liked = csr_matrix((np.random.default_rng(0).random((USERS, ITEMS)) < 0.3).astype(np.float32))


def seen(model, **choice):
    """Hits of all users, how many of them were to be left out, and the scores of these."""
    hits, unwanted, scores = 0, 0, set()
    for user in range(USERS):
        excluded = {*liked[user].indices.tolist(), *others.tolist()}
        ids, given = model.recommend(user, liked[user], N=TOP, **choice)
        back = [score for item, score in zip(ids.tolist(), given.tolist(), strict=True) if item in excluded]
        hits, unwanted, scores = hits + len(ids), unwanted + len(back), scores | set(back)
    return hits, unwanted, scores


def told(hits, unwanted, scores):
    return f"{hits} hits, {unwanted} of them back with {', '.join(f'{score:.2g}' for score in scores)}"


lowest = float(np.finfo(np.float32).min)
unchanged = True
for model, expected_score in (
    (AlternatingLeastSquares(factors=8, random_state=1, num_threads=1), lowest),
    (BayesianPersonalizedRanking(factors=8, random_state=1, num_threads=1), lowest),
    (CosineRecommender(K=20, num_threads=1), 0.0),
):
    model.fit(liked, show_progress=False)
    chosen, filtered = seen(model, items=category), seen(model, filter_items=others)
    print(f"{type(model).__name__}\n    by items: {told(*chosen)}\n    by filter_items: {told(*filtered)}")
    for hits, unwanted, scores in (chosen, filtered):
        unchanged &= hits >= USERS * TOP and unwanted > 0.1 * hits and scores == {expected_score}
    if expected_score:
        ids, scores = model.similar_items(5, N=TOP, items=category[1:5])
        pairs = (f"{item} ({score:.2f})" for item, score in zip(ids, scores, strict=True))
        print(f"    similar to 5 among 1, 2, 3, 4: {', '.join(pairs)}")
        unchanged &= {*ids[:4].tolist()} == {1, 2, 3, 4} and set(ids[4:].tolist()) == {1} and not scores[4:].any() and scores[3] < 0
    else:
        unchanged &= chosen[0] > USERS * TOP
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
