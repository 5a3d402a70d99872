#!/usr/bin/env bash
# Package: duckdb 2.0.1 (an analytical database in a process, with functions for vectors; no extension is needed).
#
# Behaviour: the cosine of a vector of zeros is no number (NaN), and DuckDB, as PostgreSQL, sorts that above all numbers. So the product without
# a photo is the most similar one to every product, passes each lower bound of a similarity, and is the maximum. By distance the same
# row is the last one, and passes no upper bound: the two ways to write one search differ.
#
# Seen: four vectors, asked for the nearest to (1, 0).
#
#     id    vector        similarity    distance
#     1     (1, 0)        1.00          0.00
#     2     (1, 1)        0.71          0.29
#     3     (0, 0)        nan           nan
#     4     (0, 1)        0.00          1.00
#
#     the first by similarity, downwards     3
#     the first by distance, upwards         1
#     similarity above 0.99                  1, 3
#     distance below 0.01                    1
#     the best similarity, as an aggregate   nan
#
# Why guesses are wrong: in Python and NumPy a NaN passes no comparison, and where SQL has no value it has NULL, which passes none
# either. One expects an error, a NULL, or a row that is left out. A test by `array_cosine_distance` shows none of it, and the change to `array_cosine_similarity ... desc` looks like a matter of taste. Add
# `and not isnan(...)`, or leave vectors of zeros out of the table.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check duckdb==2.0.1
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import math
import sys

import duckdb

database = duckdb.connect()
database.execute("create table products (id integer, vector float[2])")
database.execute("insert into products values (1, [1, 0]), (2, [1, 1]), (3, [0, 0]), (4, [0, 1])")
SIMILARITY = "array_cosine_similarity(vector, [1, 0]::float[2])"
DISTANCE = "array_cosine_distance(vector, [1, 0]::float[2])"


def ids(rest):
    return [row[0] for row in database.execute(f"select id from products {rest}").fetchall()]


for row in database.execute(f"select id, vector, {SIMILARITY}, {DISTANCE} from products order by id").fetchall():
    print(row)
seen = {
    "the first by similarity": ids(f"order by {SIMILARITY} desc")[:1],
    "the first by distance": ids(f"order by {DISTANCE}")[:1],
    "similarity above 0.99": ids(f"where {SIMILARITY} > 0.99 order by id"),
    "distance below 0.01": ids(f"where {DISTANCE} < 0.01 order by id"),
}
(best,) = database.execute(f"select max({SIMILARITY}) from products").fetchone()
for name, found in seen.items():
    print(f"{name:26} {found}")
print(f"the best similarity        {best}")
is_as_seen = list(seen.values()) == [[3], [1], [1, 3], [1]] and math.isnan(best)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
