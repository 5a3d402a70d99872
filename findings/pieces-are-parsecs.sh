#!/usr/bin/env bash
# Package: Pint 0.25.3 (physical quantities and units).
#
# Behaviour: what a shop writes for pieces, packs and sizes is a unit of physics: `pcs` are parsecs, since a plural and each prefix are
# tried, and a letter is enough. The marks of inches and feet vanish: a number with one is a plain number. And a quantity that the registry
# does not know is an error, so that a list of products is read in part, and the part that looks well has these in it.
#
# Seen:
#
#     text       read as                       was meant
#     2 pcs      2 parsec                      pieces
#     6 pk       6 peck                        a pack of six
#     12 MP      12 megapoise                  megapixels
#     38 EU      38 exaenzyme_unit             a European size
#     3 EL       3 exaliter                    tablespoons, in German
#     40 D       40 debye                      denier
#     15.6"      15.6, without a unit          inches
#     6'         6, without a unit             feet
#     20 den     20 denier                     denier
#     0.5 ct     0.5 carat                     carat
#
# Why guesses are wrong: a library that knows denier, carat and tex seems made for textiles and jewellery. Of what it does not know one
# expects an error, as `gsm` and `pair` raise, and that a mark which it cannot read is not passed over. A filter "longer than
# 1 m" finds what is sold by the piece, as 2 pcs are 6e16 m. Allow a list of units, and check the dimension that a field has.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check Pint==0.25.3
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys

import pint

SEEN = {
    "2 pcs": "2 parsec",
    "6 pk": "6 peck",
    "12 MP": "12 megapoise",
    "38 EU": "38 exaenzyme_unit",
    "3 EL": "3 exaliter",
    "40 D": "40 debye",
    '15.6"': "15.6 dimensionless",
    "6'": "6 dimensionless",
    "20 den": "20 denier",
    "0.5 ct": "0.5 carat",
}
unit = pint.UnitRegistry()
found = {text: str(unit.Quantity(text)).strip() for text in SEEN}
for text, read in found.items():
    print(f"{text:8} {read}")
found = {text: read if " " in read else f"{read} dimensionless" for text, read in found.items()}


def is_refused(text):
    try:
        unit.Quantity(text)
    except pint.UndefinedUnitError:
        return True
    return False


print("an error:", [text for text in ("100 gsm", "1 pair") if is_refused(text)])
longer = unit.Quantity("2 pcs") > unit.Quantity("1 m")
sys.exit(0 if found == SEEN and longer and is_refused("100 gsm") and is_refused("1 pair") else "it behaves in another way now")
PY
