#!/usr/bin/env bash
# Package: chdb 4.4.0 with chdb-core 26.9.0 (ClickHouse 26.9.2.1 inside a Python process; with NumPy 2.4.6).
#
# Behaviour: `dotProduct` (`scalarProduct`) of two arrays of integers adds up in the type that one product of two elements has: 16 bits for
# `Int8` and `UInt8`. What does not fit wraps round, without a word. For tuples the same function takes a wider type, sums of arrays have
# 64 bits, and `L2Distance`, `cosineDistance` and the others compute in floating point. Numbers of a literal are `UInt8` where they fit.
#
# Seen:
#
#     dotProduct([200, 200], [200, 200])                             14464
#     dotProduct((200, 200), (200, 200))                             80000
#     arraySum(arrayMap((a, b) -> a * b, [200, 200], [200, 200]))    80000
#
# and 2,000 embeddings quantised to 8 bits, 20 queries, the ten with the greatest inner product. Cast to `Array(Float32)`, or by `arraySum`,
# the recall is 1.00 and the nearest comes first each time.
#
#     type     numbers    recall    nearest comes first
#     Int8     32         0.99      19 of 20
#     Int8     64         0.90      none
#     Int8     768        0.00      none
#     UInt8    32         0.00      none
#     UInt8    64         0.00      none
#     UInt8    768        0.00      none
#
# Why guesses are wrong: eight bits are what embeddings are quantised to, and an inner product of such vectors is summed in 32 bits
# everywhere else, as distances are here. The documentation says that the arguments determine the result's type, with small numbers for an
# example, but not that the sum may need more. With small vectors all is well, then the best match alone is lost, since it is the one whose
# product is the greatest, and what comes second looks like a fair answer. With the length of a real model nothing is right. Cast one of the
# arrays to `Array(Float32)`.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check chdb==4.4.0 chdb-core==26.9.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - <<'PY'
import sys

import numpy as np
from chdb import session

ROWS, QUERIES, NEAREST = 2_000, 20, 10
EXPRESSIONS = {
    "dotProduct(v, q)": "dotProduct(v, q)",
    "as Float32": "dotProduct(v::Array(Float32), q)",
    "arraySum of products": "arraySum(arrayMap((a, b) -> a * b, v, q))",
}
SEEN = {
    ("Int8", 32): (0.95, 1.0),
    ("Int8", 64): (0.8, 0.95),
    ("Int8", 768): (0.0, 0.6),
    ("UInt8", 32): (0.0, 0.3),
    ("UInt8", 64): (0.0, 0.1),
    ("UInt8", 768): (0.0, 0.1),
}
draw = np.random.default_rng(0)
database = session.Session()


def ask(statement):
    return str(database.query(statement, "TabSeparated")).split()


def quantised(numbers, type_):
    """Vectors of `numbers` dimensions and queries near the first of them, in steps of 1 from -127 to 127, or from 1 to 255."""
    floats = draw.standard_normal((ROWS, numbers))
    near = floats[:QUERIES] + 0.3 * draw.standard_normal((QUERIES, numbers))
    scale = 127 / max(np.abs(floats).max(), np.abs(near).max())
    shift = 128 if type_ == "UInt8" else 0
    return [(np.rint(array * scale) + shift).astype(int) for array in (floats, near)]


def compared(expression, type_, table, vectors, queries):
    exact = np.argsort(-(queries @ vectors.T), axis=1)[:, :NEAREST]
    hits, first = 0, 0
    for query, nearest in zip(queries, exact, strict=True):
        literal = f"{query.tolist()}::Array({type_})"
        found = ask(f"with {literal} as q select id from {table} order by {expression} desc limit {NEAREST}")
        hits += len({int(id_) for id_ in found} & set(nearest.tolist()))
        first += int(found[0]) == nearest[0]
    return hits / (NEAREST * QUERIES), first


for statement in (
    "dotProduct([200, 200], [200, 200])",
    "dotProduct((200, 200), (200, 200))",
    "arraySum(arrayMap((a, b) -> a * b, [200, 200], [200, 200]))",
    "L2SquaredDistance([200, 200], [0, 0])",
):
    print(f"{statement:62}{ask('select ' + statement)[0]}")
is_as_seen = ask("select dotProduct([200, 200], [200, 200]), dotProduct((200, 200), (200, 200))") == ["14464", "80000"]

database.query("create database if not exists shop")
database.query("use shop")
print(f"\n{'type':8}{'numbers':10}{'by':24}{'recall':10}nearest first")
for (type_, numbers), (least, most) in SEEN.items():
    vectors, queries = quantised(numbers, type_)
    table = f"{type_}_{numbers}"
    database.query(f"create table {table} (id UInt32, v Array({type_})) engine = Memory")
    database.query(f"insert into {table} values " + ",".join(f"({id_},{vector.tolist()})" for id_, vector in enumerate(vectors)))
    for name, expression in EXPRESSIONS.items():
        recall, first = compared(expression, type_, table, vectors, queries)
        print(f"{type_:8}{numbers:<10}{name:24}{recall:<10.2f}{first} of {QUERIES}")
        is_as_seen &= least <= recall <= most if name == "dotProduct(v, q)" else recall > 0.99
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
