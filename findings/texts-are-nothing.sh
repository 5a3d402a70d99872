#!/usr/bin/env bash
# Packages: fastexcel 0.21.0, and polars 2.1.0 that reads workbooks with it (python-calamine 0.9.1 beside them; xlsxwriter 3.3.1 writes the
# workbook).
#
# Behaviour: a column whose first cells are numbers is a column of numbers, and a text further down is null. fastexcel looks at the first
# 1,000 rows, and polars lets it look at 100. polars leaves out a row of which nothing is left. Nothing is raised. A text among the first
# rows makes all cells of the column texts.
#
# Seen: the last three rows of a sheet that begins with 100 products with plain numbers, by polars; fastexcel alone after 1,000 of them.
#
#     in the sheet                    by fastexcel               by polars                  after 99 plain ones, by both
#     sku     size      stock         sku     size    stock      sku     size    stock      sku       size        stock
#     1099    42        5             1999    42      5          1099    42      5          "1098"    "42"        "5"
#     A-12    XL        sold out      null    null    null       no row                     "A-12"    "XL"        "sold out"
#     B-13    42 2/3    7             null    null    7          null    null    7          "B-13"    "42 2/3"    "7"
#
# Why guesses are wrong: the documentation has "coerce" as the rule, by which different kinds in a column become the same one, and "strict"
# as the one that raises. So one expects texts, or an error, as `read_csv` of the same library raises one for such a column; not a hole. A
# test with ten products, or with an export of ninety, is right. What a shop has had from its beginnings comes first in its lists, with
# plain numbers, and what was added in later years has letters. Those products come without a number, or not at all.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check fastexcel==0.21.0 polars==2.1.0 pyarrow==26.0.1 xlsxwriter==3.3.1 \
  python-calamine==0.9.1
cd "$work"
venv/bin/python - <<'PY'
import io
import sys

import fastexcel
import polars
import xlsxwriter
from python_calamine import CalamineWorkbook

NAMES = ("sku", "size", "stock")
LAST = [("A-12", "XL", "sold out"), ("B-13", "42 2/3", 7)]
HOLES = [(1099, 42, 5), (None, None, 7)]
HOLES_IN_FASTEXCEL = [(None, None, None), (None, None, 7)]
TEXTS = [("A-12", "XL", "sold out"), ("B-13", "42 2/3", "7")]


def workbook(rows):
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as book:
        sheet = book.add_worksheet()
        for number, row in enumerate([NAMES, *rows]):
            sheet.write_row(number, 0, row)
    return file.getvalue()


def plain(count):
    return [(1000 + number, 42, 5) for number in range(count)]


def by_polars(rows):
    return polars.read_excel(workbook(rows)).rows()


def by_fastexcel(rows):
    columns = fastexcel.read_excel(workbook(rows)).load_sheet(0).to_arrow().to_pydict()
    return list(zip(*columns.values(), strict=True))


found = {
    "polars, 100 numbers in front": by_polars(plain(100) + LAST)[-2:],
    "polars, 99 numbers in front": by_polars(plain(99) + LAST)[-2:],
    "polars, one text in front": by_polars([LAST[0], *plain(100), *LAST])[-2:],
    "fastexcel, 1,000 numbers in front": by_fastexcel(plain(1000) + LAST)[-2:],
    "fastexcel, 999 numbers in front": by_fastexcel(plain(999) + LAST)[-2:],
}
for what, rows in found.items():
    print(f"{what:36}{rows}")
sheet = CalamineWorkbook.from_filelike(io.BytesIO(workbook(plain(1000) + LAST))).get_sheet_by_index(0).to_python()
right = [tuple(row) for row in sheet[-2:]] == LAST
try:
    polars.read_csv(io.StringIO("\n".join(["sku", *(str(sku) for sku, _, _ in plain(100)), "A-12"])))
except polars.exceptions.ComputeError as error:
    print("read_csv:", str(error).splitlines()[0])
    right &= True
else:
    right = False
expected = [HOLES, TEXTS, TEXTS, HOLES_IN_FASTEXCEL, TEXTS]
sys.exit(0 if right and list(found.values()) == expected else "it behaves in another way now")
PY
