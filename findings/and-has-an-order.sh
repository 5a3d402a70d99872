#!/usr/bin/env bash
# Package: surrealdb 2.0.0 (Python, with the database in the process; with NumPy 2.4.6).
#
# Behaviour: in a `WHERE` that joins a nearest-neighbour search and another condition with `AND`, the order of the two, a pair of brackets and
# an index on the other field decide whether the condition is applied before the search or to its k results. So the same question finds five
# products or none. For the exact search (`<|5,COSINE|>`) the condition must stand first and its field must have no index; for the
# approximate one (`<|5,40|>`) either order will do until the field gets an index, and then it must stand first.
#
# Seen: 300 products with vectors of 8 dimensions, each tenth of the brand "a"; the five nearest of that brand to another's product. Results
# by the indexes that there are.
#
#     condition                                  none    on the vector    on the brand    on both
#     v <|5,COSINE|> $q AND brand = 'a'          0       0                0               0
#     brand = 'a' AND v <|5,COSINE|> $q          5       5                0               0
#     v <|5,40|> $q AND brand = 'a'              -       5                -               0
#     brand = 'a' AND v <|5,40|> $q              -       5                -               5
#     (v <|5,40|> $q) AND brand = 'a'            -       0                -               0
#
# Why guesses are wrong: `AND` is expected to have no order and an index to change the speed alone. Filters before or after a search are known
# from other engines, but as something that one chooses. The exact search is what one compares the approximate one with, and here it is the one that
# finds less. And the fix that is found first, the condition in front, works until somebody adds an index on the brand.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check surrealdb==2.0.0 numpy==2.4.6
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
from surrealdb import Surreal

PRODUCTS, DIM, EACH, QUERY = 300, 8, 10, 1
VECTOR = f"DEFINE INDEX by_vector ON product FIELDS v HNSW DIMENSION {DIM} DIST COSINE;"
BRAND = "DEFINE INDEX by_brand ON product FIELDS brand;"
INDEXES = {"none": "", "on the vector": VECTOR, "on the brand": BRAND, "on both": BRAND + VECTOR}
EXPECTED = {
    "v <|5,COSINE|> $q AND brand = 'a'": [0, 0, 0, 0],
    "brand = 'a' AND v <|5,COSINE|> $q": [5, 5, 0, 0],
    "v <|5,40|> $q AND brand = 'a'": [None, 5, None, 0],
    "brand = 'a' AND v <|5,40|> $q": [None, 5, None, 5],
    "(v <|5,40|> $q) AND brand = 'a'": [None, 0, None, 0],
}
vectors = np.random.default_rng(0).standard_normal((PRODUCTS, DIM))
cosines = vectors @ vectors[QUERY] / np.linalg.norm(vectors, axis=1)
right = [int(number) for number in np.argsort(-cosines) if number % EACH == 0][:5]


def found(indexes):
    """The numbers of the products that each condition finds; None where it needs an index that is not there."""
    database = Surreal("mem://")
    database.use("shop", "shop")
    database.query("DEFINE TABLE product SCHEMALESS;" + indexes)
    for number, vector in enumerate(vectors):
        brand = "b" if number % EACH else "a"
        database.create(f"product:{number}", {"number": number, "brand": brand, "v": vector.tolist()})
    answers = []
    for condition in EXPECTED:
        if "<|5,40|>" in condition and "by_vector" not in indexes:
            answers.append(None)
            continue
        statement = f"SELECT number, vector::distance::knn() AS distance FROM product WHERE {condition} ORDER BY distance"
        hits = database.query(statement, {"q": vectors[QUERY].tolist()})
        answers.append([hit["number"] for hit in hits])
    return answers


columns = [found(indexes) for indexes in INDEXES.values()]
print(f"{'condition':38}" + "".join(f"{name:16}" for name in INDEXES))
seen, hits_are_right = {}, True
for condition, answers in zip(EXPECTED, zip(*columns)):
    seen[condition] = [None if answer is None else len(answer) for answer in answers]
    hits_are_right &= all(answer in (None, [], right) for answer in answers)
    print(f"{condition:38}" + "".join(f"{'-' if count is None else count:<16}" for count in seen[condition]))
print("where there are five, they are the right ones:", hits_are_right)
sys.exit(0 if seen == EXPECTED and hits_are_right else "it behaves in another way now")
PY
