#!/usr/bin/env bash
# Package: implicit 0.7.3 (recommendations from implicit feedback; with scipy 1.17.1).
#
# Behaviour: `evaluation.precision_at_k` is no precision. The hits of all users together are divided by the sum, over the users, of K
# or of what the user has in the test set, whichever is less. Where nobody has more than K it is the recall of all users taken together.
#
# Seen: the items 0 to 9 are recommended to each of three users; K is 10.
#
#     in the test set                      hits    P@10    recall@10    precision_at_k
#     item 0                               1       0.10    1.00         1.00
#     items 0 and 15                       1       0.10    0.50         0.50
#     items 0, 1 and 2                     3       0.30    1.00         1.00
#     all three users                      5       0.17    0.83         0.83
#     the second one with items 15 to 34   4       0.13    0.67         0.29
#
# Why guesses are wrong: the documentation says "the calculated p@k", and of P@10 one knows that it is a tenth at most where a user has one
# item to be found. Figures from here look several times as good as those of another library for the same lists. And it is no mean over the
# users: the one with the longest history counts most, so that one heavy user took it from 0.83 to 0.29 in the table. The other figures of
# the same call (`map`, `ndcg`, `auc`) are means over the users. Compute P@K from the lists, or compare with other libraries' recall.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check implicit==0.7.3 scipy==1.17.1 numpy==2.4.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
import scipy.sparse
from implicit.evaluation import precision_at_k

ITEMS, K = 60, 10


class FirstTen:
    """Recommends items 0 to 9 to everybody."""

    def recommend(self, users, user_items, N=K):
        ids = np.tile(np.arange(N, dtype=np.int32), (len(users), 1))
        return ids, np.ones(ids.shape, dtype=np.float32)


def matrix(users):
    rows = np.zeros((len(users), ITEMS), dtype=np.float32)
    for row, items in zip(rows, users):
        row[list(items)] = 1
    found = scipy.sparse.csr_matrix(rows)
    found.indices, found.indptr = found.indices.astype(np.int32), found.indptr.astype(np.int32)
    return found


USERS = [{0}, {0, 15}, {0, 1, 2}]
cases = {
    "item 0": USERS[:1],
    "items 0 and 15": USERS[1:2],
    "items 0, 1 and 2": USERS[2:],
    "all three users": USERS,
    "the second one with items 15 to 34": [USERS[0], set(range(15, 35)), USERS[2]],
}
seen = []
for name, users in cases.items():
    hits = [len(items & set(range(K))) for items in users]
    precision = np.mean([hit / K for hit in hits])
    recall = np.mean([hit / len(items) for hit, items in zip(hits, users)])
    given = precision_at_k(FirstTen(), matrix([()] * len(users)), matrix(users), K=K, show_progress=False)
    print(f"{name:36} hits {sum(hits)}   P@10 {precision:.2f}   recall@10 {recall:.2f}   precision_at_k {given:.2f}")
    seen.append((round(float(precision), 2), round(float(given), 2)))
is_as_seen = seen == [(0.1, 1.0), (0.1, 0.5), (0.3, 1.0), (0.17, 0.83), (0.13, 0.29)]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
