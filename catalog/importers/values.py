"""Prices and yes-or-no as shops write them. A value that could mean two things is refused, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from catalog.importers.rows import RowRejected

# The first currency is meant where a shop names none; the others go with the sign as well.
_SIGNS = {
    "€": ("EUR",),
    "$": ("USD", "AUD", "CAD", "CLP", "COP", "HKD", "MXN", "NZD", "SGD", "TWD", "ARS", "BRL"),
    "£": ("GBP", "EGP", "GIP"),
    "¥": ("JPY", "CNY"),
    "₹": ("INR",),
    "zł": ("PLN",),
    "₺": ("TRY",),
    "₴": ("UAH",),
    "₩": ("KRW",),
    "kr": ("SEK", "DKK", "NOK", "ISK"),
    "Kč": ("CZK",),
    "Ft": ("HUF",),
    "R$": ("BRL",),
}

_TRUE = frozenset(("1", "true", "yes", "y", "on", "in stock", "instock", "available", "preorder", "backorder"))
_FALSE = frozenset(("0", "false", "no", "n", "off", "out of stock", "outofstock", "unavailable", "sold out"))

# ISO 4217. Other three letters beside a price mean something else: "12.00 TTC" is a price with the tax included.
_ISO_4217 = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD
MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG
QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD
TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
"""
_CODES = frozenset(_ISO_4217.split())

_PRICE = re.compile(
    r"(?P<before>[^\d.,-]*)(?P<minus>-?)(?P<number>\d[\d.,' ]*?)(?:[.,][-\u2013\u2014])?(?P<after>[^\d.,]*)\.?",
    re.ASCII,
)
_SPACES = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2019": "'"})


@dataclass(frozen=True, slots=True)
class Price:
    """An amount, and the currencies that its sign or code allows, the likeliest first; none where it has neither."""

    amount: Decimal
    currencies: tuple[str, ...] = ()


def parse_price(text: str, *, decimal: str = "") -> Price | None:
    """`1.234,50 €`, `$19.99`, `CHF 1'200.-`, `1299`. None for an empty text; RowRejected where it is not clear.

    decimal: "." or "," where the source says which it uses; otherwise it is told from each price.
    """
    text = text.translate(_SPACES).strip()
    if not text:
        return None
    match = _PRICE.fullmatch(text)
    if match is None:
        raise RowRejected(f"{text[:40]!r} is not a price")
    if match["minus"]:
        raise RowRejected(f"the price {text} is below zero")
    currencies = [found for found in (_currencies(match["before"], text), _currencies(match["after"], text)) if found]
    amount = _amount(match["number"].strip(), text, decimal)
    if len(currencies) == 2:
        both = tuple(code for code in currencies[0] if code in currencies[1])
        if not both:
            raise RowRejected(f"the price {text} names two currencies")
        return Price(amount, both)
    return Price(amount, currencies[0] if currencies else ())


def parse_boolean(text: str, *, name: str) -> bool:
    """`yes`, `in stock`, `0`, `out_of_stock`, or a number of pieces. RowRejected for anything else."""
    word = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    if word.isascii() and word.isdigit():
        # Not as a number: Python converts no more than 4,300 digits.
        return bool(word.strip("0"))
    raise RowRejected(f"{name}: {text[:40]!r} is neither yes nor no nor a number of pieces")


def _currencies(affix: str, text: str) -> tuple[str, ...]:
    affix = affix.strip()
    if not affix:
        return ()
    if affix in _SIGNS:
        return _SIGNS[affix]
    if affix in _CODES:
        return (affix,)
    raise RowRejected(f"{text[:40]!r} is not a price")


def _amount(number: str, text: str, decimal: str) -> Decimal:
    marks = [mark for mark in number if not mark.isdigit()]
    if not decimal:
        decimal = _decimal_mark(marks, number, text)
    whole, _, fraction = number.partition(decimal) if decimal else (number, "", "")
    groups = re.split(r"[.,' ]", whole)
    grouped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    separators = {mark for mark in whole if not mark.isdigit()}
    if not grouped or len(separators) > 1 or (fraction and not fraction.isdigit()):
        raise RowRejected(f"the price {text} is written neither with groups of three digits nor with one decimal mark")
    if len(fraction.rstrip("0")) > 2:
        raise RowRejected(f"the price {text} has more than two decimals")
    return Decimal(f"{''.join(groups)}.{fraction[:2] or '0'}")


def _decimal_mark(marks: list[str], number: str, text: str) -> str:
    """The mark that divides whole from fraction in this number; "" where it has no fraction."""
    points = [mark for mark in marks if mark in ".,"]
    if not points or points.count(points[-1]) > 1:
        return ""
    digits_after = len(number) - number.rindex(points[-1]) - 1
    if len(marks) == 1 and digits_after == 3:
        raise RowRejected(f"the price {text} could be thousands or decimals: say which mark decimals have (--decimal)")
    return points[-1]
