#!/usr/bin/env bash
# Package: quantulum3 0.10.0 (finds quantities and their units in texts).
#
# Behaviour: a number before a number of three digits, with a space between them, is the thousands of the latter. A quantity that begins
# with "half" is one of the reciprocal unit.
#
# Seen:
#
#     text                           quantities
#     glasses, pack of 6 350 ml      6350 cubic centimetres
#     glasses, pack of 6, 350 ml     6, and 350 cubic centimetres
#     tablet 9 256 GB                9256 gigabytes
#     tablet 9 (256 GB)              9, and 256 gigabytes
#     tablet 9 64 GB                 none
#     12 500 g bags of rice          12500 grams
#     bulb 60 240 V                  60240 volts
#     half a litre of milk           0.5 per litre
#     half a kilo of rice            0.5 per kilogram
#     a litre of milk                1 litre
#
# Why guesses are wrong: a space is a separator of thousands in French or Swedish texts, and the package reads English ones, where 6350 is
# written with a comma or without anything; its readme shows no such number. Names of products put numbers side by side without a comma:
# pieces and contents, model and storage, watts and volts. Where the second has two digits, both are gone. A glass of 6.35 litres is a valid
# quantity with a known unit, and a price per litre of it is a twentieth of the right one.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check quantulum3==0.10.0
cd "$work"
venv/bin/python -W ignore - <<'PY'
import sys

from quantulum3 import parser

SEEN = {
    "glasses, pack of 6 350 ml": [(6350, "cubic centimetre")],
    "glasses, pack of 6, 350 ml": [(6, "dimensionless"), (350, "cubic centimetre")],
    "tablet 9 256 GB": [(9256, "gigabyte")],
    "tablet 9 (256 GB)": [(9, "dimensionless"), (256, "gigabyte")],
    "tablet 9 64 GB": [],
    "12 500 g bags of rice": [(12500, "gram")],
    "bulb 60 240 V": [(60240, "volt")],
    "half a litre of milk": [(0.5, "per litre")],
    "half a kilo of rice": [(0.5, "per kilogram")],
    "a litre of milk": [(1, "litre")],
}

is_as_seen = True
for text, seen in SEEN.items():
    found = [(quantity.value, quantity.unit.name) for quantity in parser.parse(text)]
    print(f"{text:<30}{found}")
    is_as_seen &= found == seen
sys.exit(0 if is_as_seen else "it behaves in another way now")
PY
