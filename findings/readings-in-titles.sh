#!/usr/bin/env bash
# Package: sxl 0.0.1a10.
#
# Behaviour: a workbook keeps the reading of a Japanese text (furigana) beside the text, in the same element of the shared strings. The
# reader joins both, so that the text is followed by its reading, or by the readings of its parts.
#
# Seen: three cells, as a spreadsheet shows them and as the reader gives them.
#
#     茶碗          茶碗チャワン
#     青い茶碗      青い茶碗アオチャワン
#     Blue jug      Blue jug
#
# Why guesses are wrong: the reading is no part of the value. It is shown in small letters above the cell, if at all, and the program writes
# it by itself for what is typed with an input method; what is pasted has none. So titles of one column come out doubled in some rows and
# right in others, the same product typed and pasted has two titles, and a search for a title finds only half of them. Texts with bold
# parts, which are in several elements, too, and where one would look for errors, are right.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check sxl==0.0.1a10
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import sys
import zipfile

import sxl

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
# What a spreadsheet shows, the text with its readings as Excel writes it, and what the reader gives.
CELLS = [
    ("茶碗", '<t>茶碗</t><rPh sb="0" eb="2"><t>チャワン</t></rPh><phoneticPr fontId="1"/>', "茶碗チャワン"),
    (
        "青い茶碗",
        '<t>青い茶碗</t><rPh sb="0" eb="1"><t>アオ</t></rPh><rPh sb="2" eb="4"><t>チャワン</t></rPh><phoneticPr fontId="1"/>',
        "青い茶碗アオチャワン",
    ),
    ("Blue jug", '<r><t xml:space="preserve">Blue </t></r><r><rPr><b/></rPr><t>jug</t></r>', "Blue jug"),
]

rows = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c></row>' for n in range(1, len(CELLS) + 1))
parts = {
    "[Content_Types].xml": f'<Types xmlns="{PACKAGE}/content-types"><Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    + "".join(
        f'<Override PartName="/xl/{name}.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.{kind}+xml"/>'
        for name, kind in (("workbook", "sheet.main"), ("worksheets/sheet1", "worksheet"), ("sharedStrings", "sharedStrings"))
    )
    + "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{PACKAGE}/relationships"><Relationship Id="rId1" Type="{DOCUMENT}/officeDocument" '
    'Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{DOCUMENT}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{DOCUMENT}/sharedStrings" Target="sharedStrings.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{DOCUMENT}"><sheets><sheet name="Products" sheetId="1" r:id="rId1"/>'
    "</sheets></workbook>",
    "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">' + "".join(f"<si>{text}</si>" for _, text, _ in CELLS) + "</sst>",
    "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
}
with zipfile.ZipFile("titles.xlsx", "w") as book:
    for name, text in parts.items():
        book.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + text)

found = [row[0] for row in sxl.Workbook("titles.xlsx").sheets["Products"].rows]
for (shown, _, _), text in zip(CELLS, found, strict=True):
    print(f"{shown}\t{text}")
sys.exit(0 if found == [seen for _, _, seen in CELLS] else "This is no longer what the head of the script says.")
PYTHON
