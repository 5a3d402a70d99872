#!/usr/bin/env bash
# Package: sqlite-vec 0.1.9 (vector search inside SQLite; apsw 3.54.1.0 loads it).
#
# Behaviour: in a search for nearest neighbours, a number that an integer column is compared with loses its fraction. `stars < 2.5` leaves out
# 2, `stars = 2.5` finds 2, and `stars between 1.5 and 2.5` finds 1, which is outside. The same condition on the same table without
# `MATCH` is answered by SQLite itself, and right. With a bound parameter it is as with a number in the text.
#
# Seen: four rows with 1, 2, 3 and 4 in an integer column.
#
#     condition                      with MATCH    without
#     stars < 2.5                    1             1, 2
#     stars >= 2.5                   2, 3, 4       3, 4
#     stars = 2.5                    2             -
#     stars != 2.5                   1, 3, 4       1, 2, 3, 4
#     stars between 1.5 and 2.5      1, 2          2
#     stars <= 2.5                   1, 2          1, 2
#     stars > 2.5                    3, 4          3, 4
#
# Why guesses are wrong: SQLite compares integers with fractions by their values, everywhere else, and what one `WHERE` says does not
# depend on another term beside it. The two forms that people write most, `<=` and `>`, are right by luck, so that a test of them passes;
# the edge of a band ("from 1.5 to 2.5 stars", or a price in cents times 1.19) brings in a row that is outside. Declare the column as
# float, or round the number before, up for `<` and `>=`, and down for the others.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check sqlite-vec==0.1.9 apsw==3.54.1.0
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import struct
import sys

import apsw
import sqlite_vec

STARS = [1, 2, 3, 4]
EXPECTED = {
    "stars < 2.5": ([1], [1, 2]),
    "stars >= 2.5": ([2, 3, 4], [3, 4]),
    "stars = 2.5": ([2], []),
    "stars != 2.5": ([1, 3, 4], [1, 2, 3, 4]),
    "stars between 1.5 and 2.5": ([1, 2], [2]),
    "stars <= 2.5": ([1, 2], [1, 2]),
    "stars > 2.5": ([3, 4], [3, 4]),
}
database = apsw.Connection(":memory:")
database.enable_load_extension(True)
database.load_extension(sqlite_vec.loadable_path())
database.execute("create virtual table photos using vec0(vector float[2], stars integer)")
for stars in STARS:
    database.execute("insert into photos(vector, stars) values (?, ?)", (struct.pack("2f", stars, 0), stars))


def found(condition, values=()):
    return sorted(stars for (stars,) in database.execute(f"select stars from photos where {condition}", values))


query = struct.pack("2f", 0, 0)
unchanged = found("vector match ? and k = 10 and stars < ?", (query, 2.5)) == [1]
print(f"{'condition':31}{'with MATCH':14}without")
for condition, expected in EXPECTED.items():
    seen = found(f"vector match ? and k = 10 and {condition}", (query,)), found(condition)
    searched, plain = (", ".join(map(str, stars)) or "-" for stars in seen)
    print(f"{condition:31}{searched:14}{plain}")
    unchanged &= seen == expected
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
