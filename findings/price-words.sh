#!/usr/bin/env bash
# Package: price-parser 0.5.1.
#
# Behaviour: what is no amount becomes one, and the currency that is found does not help to read the number beside it. "free" is an amount
# of 0 and "From $12.50" is 12.50. Three digits behind a point are thousands, also where the text names the dinar of Kuwait, which has
# three decimals, and even where nothing but a zero is in front of the point.
#
# Seen:
#
#     text              amount    currency
#     free              0         -
#     From $12.50       12.50     $
#     12.755 KWD        12755     KWD
#     12.755 EUR        12755     EUR
#     10.000 KWD        10000     KWD
#     0.755 KWD         755       KWD
#
# Why guesses are wrong: of a library that finds the currency one expects that it knows its decimals, and of one that reads prices that a
# group of thousands does not begin with a zero. A catalogue that trusts it asks a thousand times the price in Kuwait, Bahrain, Oman, Jordan
# and Tunisia, and takes "from" for "at". Pass `decimal_separator` where the currency has three decimals, and refuse texts with more than a
# sign, a code and a number.
set -euo pipefail
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check price-parser==0.5.1
TMPDIR="$work" "$work/venv/bin/python" - <<'PY'
import sys
from decimal import Decimal

from price_parser import Price

SEEN = {
    "free": (Decimal(0), None),
    "From $12.50": (Decimal("12.50"), "$"),
    "12.755 KWD": (Decimal(12755), "KWD"),
    "12.755 EUR": (Decimal(12755), "EUR"),
    "10.000 KWD": (Decimal(10000), "KWD"),
    "0.755 KWD": (Decimal(755), "KWD"),
}
print(f"{'text':18}{'amount':10}currency")
found = {text: Price.fromstring(text) for text in SEEN}
for text, price in found.items():
    print(f"{text:18}{price.amount!s:10}{price.currency or '-'}")
unchanged = all((price.amount, price.currency) == SEEN[text] for text, price in found.items())
sys.exit(0 if unchanged else "This is no longer what the head of the script says.")
PY
