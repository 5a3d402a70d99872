"""Parses prices and booleans as shops write them. Ambiguous values are rejected, never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from catalog.importers.rows import RowRejected

# Currencies of a sign; the first is the default if the shop names none.
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

# ISO 4217. Other letters beside a price are not currencies: "12.00 TTC" is a price including tax.
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
    """An amount, and the currencies of its sign or code, the most common first; empty if it has neither."""

    amount: Decimal
    currencies: tuple[str, ...] = ()


def parse_price(text: str, *, decimal: str = "") -> Price | None:
    """Parse a price such as `1.234,50 €`, `$19.99`, `CHF 1'200.-` or `1299`.

    Args:
        text: the price.
        decimal: decimal separator, "." or ","; "" to detect it.

    Returns:
        The price; None if the text is empty.

    Raises:
        RowRejected: the text is not a price, is negative, or is ambiguous.
    """
    text = text.translate(_SPACES).strip()
    if not text:
        return None
    match = _PRICE.fullmatch(text)
    if match is None:
        raise RowRejected(f"{text[:40]!r} is not a price")
    if match["minus"]:
        raise RowRejected(f"the price {text} is negative")
    currencies = [found for found in (_currencies(match["before"], text), _currencies(match["after"], text)) if found]
    amount = _amount(match["number"].strip(), text, decimal)
    if len(currencies) == 2:
        both = tuple(code for code in currencies[0] if code in currencies[1])
        if not both:
            raise RowRejected(f"the price {text} has two currencies")
        return Price(amount, both)
    return Price(amount, currencies[0] if currencies else ())


def parse_boolean(text: str, *, name: str) -> bool:
    """Parse `yes`, `in stock`, `0`, `out_of_stock` or a number of items.

    Args:
        text: the value.
        name: of the field, for the error.

    Returns:
        Whether it is true.

    Raises:
        RowRejected: the text is none of these.
    """
    word = " ".join(text.lower().replace("_", " ").replace("-", " ").split())
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    if word.isascii() and word.isdigit():
        # Without int(): Python converts at most 4,300 digits.
        return bool(word.strip("0"))
    raise RowRejected(f"{name}: {text[:40]!r} is neither yes, no nor a number of items")


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
        decimal = _decimal_separator(marks, number, text)
    integer_part, _, fraction = number.partition(decimal) if decimal else (number, "", "")
    groups = re.split(r"[.,' ]", integer_part)
    grouped = len(groups) == 1 or (1 <= len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:]))
    separators = {mark for mark in integer_part if not mark.isdigit()}
    if not grouped or len(separators) > 1 or (fraction and not fraction.isdigit()):
        raise RowRejected(f"the price {text} has neither groups of three digits nor one decimal separator")
    if len(fraction.rstrip("0")) > 2:
        raise RowRejected(f"the price {text} has more than two decimals")
    return Decimal(f"{''.join(groups)}.{fraction[:2] or '0'}")


def _decimal_separator(marks: list[str], number: str, text: str) -> str:
    """The decimal separator of this number; "" if it has no fraction."""
    points = [mark for mark in marks if mark in ".,"]
    if not points or points.count(points[-1]) > 1:
        return ""
    digits_after = len(number) - number.rindex(points[-1]) - 1
    if len(marks) == 1 and digits_after == 3:
        raise RowRejected(f"the price {text} is ambiguous, thousands or decimals: set the decimal separator")
    return points[-1]
