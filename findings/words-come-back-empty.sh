#!/usr/bin/env bash
# Package: pylightxl 1.61 (reads workbooks; openpyxl 3.1.5, xlsxwriter 3.3.1 and pandas 3.0.6 write them, python-calamine 0.9.1 reads them,
# too).
#
# Behaviour: of a workbook that was written by openpyxl, as pandas does where xlsxwriter is not installed, all texts come back empty, the
# names of the columns among them, and all numbers right. Texts may stand in their cells or in a list of the file; it knows the list alone.
# A row or column at the end that has but texts is not there at all.
#
# Seen:
#
#     sku    name         price    stock     by xlsxwriter, or saved by a spreadsheet    by openpyxl
#     007    red dress    12.5     4         "007", "red dress", 12.5, 4                 "", "", 12.5, 4
#     008    hat          3        0         "008", "hat", 3, 0                          "", "", 3, 0
#     009    scarf                           "009", "scarf", "", ""                      no row
#
# Why guesses are wrong: a reader of a format is expected to read what the most used writer of the same language makes, or to say what it
# cannot; its limitations are listed, without this one. Numbers are where they belong and nothing is raised, and an empty text is a value
# that a shop's table has in many cells. A test with a workbook from a spreadsheet program is right; the catalogue that a script has
# exported comes as products without a name. To open it in such a program and to save it mends it, and that is what one does first to look.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pylightxl==1.61 openpyxl==3.1.5 xlsxwriter==3.3.1 pandas==3.0.6 \
  python-calamine==0.9.1
cd "$work"
venv/bin/python - <<'PY'
import sys

import pandas as pd
import pylightxl
from python_calamine import CalamineWorkbook

TABLE = [["sku", "name", "price", "stock"], ["007", "red dress", 12.5, 4], ["008", "hat", 3, 0], ["009", "scarf", None, None]]
WITHOUT_WORDS = [["", "", "", ""], ["", "", 12.5, 4], ["", "", 3, 0]]
is_as_seen = True
products = pd.DataFrame(TABLE[1:], columns=TABLE[0])
for writer in ("xlsxwriter", "openpyxl"):
    path = f"{writer}.xlsx"
    products.to_excel(path, index=False, engine=writer)
    workbook = pylightxl.readxl(path)
    read = [list(row) for row in workbook.ws(workbook.ws_names[0]).rows]
    right = [["" if value is None else value for value in row] for row in TABLE]
    by_calamine = CalamineWorkbook.from_path(path).get_sheet_by_index(0).to_python()
    print(f"{writer}:")
    for row in read:
        print(f"    {row}")
    is_as_seen &= by_calamine == right and read == (right if writer == "xlsxwriter" else WITHOUT_WORDS)
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
