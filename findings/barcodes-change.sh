#!/usr/bin/env bash
# Package: fastparquet 2026.9.0 (reads Parquet into pandas 2.3.3; pyarrow 26.0.1 and duckdb 2.0.1 write; with NumPy 2.4.6).
#
# Behaviour: integers that were written as differences (`DELTA_BINARY_PACKED`) come back as other integers where differences need more than
# 28 bits, as those between barcodes do. No error is raised, the column has its type and its length, and the first number is right.
#
# Seen: how many of 1,000 numbers are other ones after reading; pyarrow and duckdb read each of the files rightly. Writers: duckdb with
# `PARQUET_VERSION v2`, which chooses this encoding by itself, and pyarrow, when it is asked for it.
#
#     column                         by duckdb    by pyarrow    least and greatest difference to the row before
#     ids from 1 to 1,000            0            0             1 and 1
#     prices in cents                0            0             -96,619 and 96,611
#     barcodes of one maker          0            0             -92,631 and 96,885
#     barcodes of many makers        998          998           -7.8 and 7.6 million millions
#     the same, sorted               998          998           0.97 and 85,749 million
#     ids of 32 bits, at random      995          993           -2,119 and 2,013 million
#
# Why guesses are wrong: an encoding that this reader does not know is an error (`NotImplementedError`), and its release notes say that this
# one is read, for integers. Whoever tries it does so with a few numbers, small or rising, all of which are right, in the same file that has
# wrong barcodes. Neither a missing value nor a count nor a type shows anything: products have other products' barcodes, or numbers that are
# none. And it is the one who writes the file that chooses the encoding, by asking for a newer version of the format.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fastparquet==2026.9.0 pyarrow==26.0.1 duckdb==2.0.1 pandas==2.3.3 numpy==2.4.6
TMPDIR="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import os
import sys
import tempfile

import duckdb
import fastparquet
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1_000
draw = np.random.default_rng(0)
path = os.path.join(tempfile.mkdtemp(), "products.parquet")
barcodes = draw.integers(10**12, 9 * 10**12, ROWS)
COLUMNS = {
    "ids from 1 to 1,000": np.arange(1, ROWS + 1),
    "prices in cents": draw.integers(99, 99_999, ROWS),
    "barcodes of one maker": 4_006_381_000_000 + draw.integers(0, 10**5, ROWS),
    "barcodes of many makers": barcodes,
    "the same, sorted": np.sort(barcodes),
    "ids of 32 bits, at random": draw.integers(0, 2**31 - 1, ROWS).astype(np.int32),
}


def by_duckdb(numbers):
    with duckdb.connect() as database:
        database.register("products", pd.DataFrame({"v": numbers}))
        database.execute(f"copy products to '{path}' (format parquet, parquet_version v2)")


def by_pyarrow(numbers):
    pq.write_table(pa.table({"v": numbers}), path, use_dictionary=False, column_encoding={"v": "DELTA_BINARY_PACKED"})


def wrong(write, numbers):
    write(numbers)
    assert "DELTA_BINARY_PACKED" in pq.ParquetFile(path).metadata.row_group(0).column(0).encodings
    assert (pq.read_table(path)["v"].to_numpy() == numbers).all()
    assert (duckdb.sql(f"select v from '{path}'").fetchnumpy()["v"] == numbers).all()
    read = fastparquet.ParquetFile(path).to_pandas()["v"].to_numpy()
    assert read.dtype == numbers.dtype and read[0] == numbers[0]
    return int((read != numbers).sum())


seen = {}
print(f"{'column':30}{'by duckdb':14}{'by pyarrow':14}least and greatest difference")
for name, numbers in COLUMNS.items():
    seen[name] = [wrong(write, numbers) for write in (by_duckdb, by_pyarrow)]
    steps = np.diff(numbers.astype(np.int64))
    print(f"{name:30}{seen[name][0]:<14}{seen[name][1]:<14}{steps.min():,} and {steps.max():,}")
right, changed = list(seen.values())[:3], list(seen.values())[3:]
is_as_seen = all(max(counts) == 0 for counts in right) and all(min(counts) > 0.9 * ROWS for counts in changed)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
