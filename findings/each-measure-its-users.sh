#!/usr/bin/env bash
# Package: recommenders 1.2.1 (Microsoft's; installed without the packages that only its models need; with pandas 2.3.3, NumPy 2.4.6 and
# scikit-learn 1.9.0).
#
# Behaviour: the measures of `python_evaluation` are means over different users. `precision_at_k`, `recall_at_k` and `map_at_k` leave out
# whom the model gave no recommendation; `ndcg_at_k` counts them as 0; and `r_precision_at_k` leaves out all who got nothing right, so that
# it is never below 1/R. No warning says how many are left.
#
# Seen: 100 customers, each of whom bought one product. A model that has the right product first for 20 and wrong ones for 80; one that has
# it first for 20 and second for 80; and one that has it first for 20 and answers nobody else.
#
#                          precision@1    recall@2    MAP@2    NDCG@2    R-precision
#     80 wrong             0.20           0.20        0.20     0.20      1.00
#     80 second            0.20           1.00        0.60     0.70      1.00
#     80 not answered      1.00           1.00        1.00     0.20      1.00
#
# Over all 100 customers R-precision is 0.20 for each of the three, and the other figures of the third are 0.20, too.
#
# Why guesses are wrong: measures of one module with the same arguments are expected to be about the same users, and means to include
# zeros; the docstring of R-precision says "precision@R for each user". Where each user gets ten products and some of them are right,
# they agree. Customers without a history are whom a model cannot answer, and filters of stock or category leave some without an answer,
# too: the more of the hard ones it leaves out, the better it is by precision, recall and MAP, and by R-precision all models are excellent.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pandas==2.3.3 numpy==2.4.6 scikit-learn==1.9.0 tqdm==4.68.4
"$work/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps recommenders==1.2.1
cd "$work"
venv/bin/python -W ignore - <<'PY'
import sys

import pandas as pd
from recommenders.evaluation import python_evaluation as measures

CUSTOMERS, EASY = 100, 20
ONE, OTHER = 10_000, 20_000  # products that nobody bought
bought = pd.DataFrame({"userID": range(CUSTOMERS), "itemID": range(CUSTOMERS), "rating": 1})


def model(for_the_others):
    """Two recommendations a customer: the right one first for the easy ones, and those of `for_the_others` for the rest."""
    lists = {user: [user, ONE] for user in range(EASY)}
    lists |= {user: for_the_others(user) for user in range(EASY, CUSTOMERS)}
    rows = [(user, item, 1 - place / 10) for user, items in lists.items() for place, item in enumerate(items)]
    return pd.DataFrame(rows, columns=["userID", "itemID", "prediction"])


SEEN = {
    "80 wrong": (lambda user: [ONE, OTHER], [0.20, 0.20, 0.20, 0.20, 1.00]),
    "80 second": (lambda user: [ONE, user], [0.20, 1.00, 0.60, 0.70, 1.00]),
    "80 not answered": (lambda user: [], [1.00, 1.00, 1.00, 0.20, 1.00]),
}
is_as_seen = True
print("                  precision@1, recall@2, MAP@2, NDCG@2, R-precision")
for name, (for_the_others, expected) in SEEN.items():
    recommended = model(for_the_others)
    seen = [
        measures.precision_at_k(bought, recommended, k=1),
        measures.recall_at_k(bought, recommended, k=2),
        measures.map_at_k(bought, recommended, k=2),
        measures.ndcg_at_k(bought, recommended, k=2),
        measures.r_precision_at_k(bought, recommended, k=2),
    ]
    print(f"{name:18}{', '.join(f'{value:.2f}' for value in seen)}")
    is_as_seen &= [round(float(value), 2) for value in seen] == expected
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
