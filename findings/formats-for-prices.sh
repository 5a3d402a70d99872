#!/usr/bin/env bash
# Package: xlsx2csv 0.8.6 (workbooks written by openpyxl 3.1.5).
#
# Behaviour: a number is taken for a date if its number format has a letter of dates anywhere, in a text in quotes, too. What is written is
# then the format itself, in small letters, with the day, month or year of the "date" in place of those letters. The number is lost.
#
# Seen: the number 12.5 and the number 40 in cells of these formats.
#
#     format            a spreadsheet shows    xlsx2csv writes
#     0.00 "USD"        12.50 USD              0.00 "us11"
#                       40.00 USD              0.00 "us08"
#     "CHF" 0.00        CHF 12.50              "c12f" 0.00
#                       CHF 40.00              "c12f" 0.00
#     0 "Stück"         13 Stück               0 "stück"
#                       40 Stück               0 "stück"
#     0.0 "cm"          12.5 cm                0.0 "c01"
#                       40.0 cm                0.0 "c02"
#     0.00 "€"          12.50 €                12.500000
#                       40.00 €                40
#
# Why guesses are wrong: a text in quotes in a format is shown as it is and means nothing, and it is how a spreadsheet shows a currency or a
# unit beside a number. Prices in euros and yen come through, so a first look finds nothing. A price list in dollars or francs keeps its
# lines and columns, no error is raised, and all prices of a column become one text: `"c12f" 0.00`, whatever they cost.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check xlsx2csv==0.8.6 openpyxl==3.1.5
cd "$work"
"$work/venv/bin/python" - <<'PYTHON'
import csv
import io
import sys

import openpyxl
from xlsx2csv import Xlsx2csv

NUMBERS = (12.5, 40)
SEEN = {
    '0.00 "USD"': ['0.00 "us11"', '0.00 "us08"'],
    '"CHF" 0.00': ['"c12f" 0.00', '"c12f" 0.00'],
    '0 "Stück"': ['0 "stück"', '0 "stück"'],
    '0.0 "cm"': ['0.0 "c01"', '0.0 "c02"'],
    '0.00 "€"': ["12.500000", "40"],
}

book = openpyxl.Workbook()
for row, code in enumerate(SEEN, start=1):
    for column, number in enumerate(NUMBERS, start=1):
        book.active.cell(row, column, number).number_format = code
book.save("prices.xlsx")

text = io.StringIO()
Xlsx2csv("prices.xlsx").convert(text)
found = dict(zip(SEEN, csv.reader(io.StringIO(text.getvalue())), strict=True))
print(f"{'format':<14}{NUMBERS[0]!s:<18}{NUMBERS[1]}")
for code, cells in found.items():
    print(f"{code:<14}{cells[0]:<18}{cells[1]}")
sys.exit(0 if found == SEEN else "This is no longer what the head of the script says.")
PYTHON
