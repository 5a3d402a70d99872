"""Parses prices as shops write them. Ambiguous ones are rejected, never guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from price_parser import Price as ParsedPrice

from product_files import row_facts
from product_files.rows import RowRejected
from product_files.values.currencies import currencies_of, decimals, precision

_MAX_AMOUNT = Decimal(10) ** 10
_MAX_CHARACTERS = 60
# Of a whole price that shows thousands in others: 900 beside 1,299, but not 2 beside 1.125.
_MIN_DIGITS = 3

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u00b4": "'", "`": "'", "\u066b": ".", "\u066c": ","})
_PLAIN = re.compile(r"\d{1,9}(?:\.\d{1,2})?", re.ASCII)
# `19,-`, `19.--`, `19:-` and `19/-` have no cents.
_NO_CENTS = re.compile(r"[.,:/]?\s*[-\u2013\u2014]{1,2}(?=\s|$|[^\d\s-])")
# What is said of the tax, or the currency: `1,200円(税込)`, `12 € (inkl. MwSt.)`, `12 (USD)`.
_IN_BRACKETS = re.compile(r"\s*\(([^()\d]*)\)$")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)'(?=\d)")
_GROUPS = re.compile(r"\d{1,3}(?:([., ])\d{3})?(?:\1\d{3})*")
# Lakhs and crores: groups of two digits before the last three.
_INDIAN_GROUPS = re.compile(r"\d{1,2}(?:,\d{2})+,\d{3}")


@dataclass(frozen=True, slots=True)
class Price:
    """An amount, and the currencies of its sign or code, the most common first; empty if it has neither."""

    amount: Decimal
    currencies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DecimalsOfColumn:
    """What the prices of a column show.

    Attributes:
        shown: the decimal separator of all prices that can be read in one way only; "" if none shows it, or they differ.
        likely_groups: what is likely between groups of thousands, where all prices with a mark can be read in two ways; "" if that
            is not likely either.
    """

    shown: str = ""
    likely_groups: str = ""


NOTHING_SHOWN = DecimalsOfColumn()


def parse_price(
    text: str, *, decimal: str = "", usual: DecimalsOfColumn = NOTHING_SHOWN, others: str = "", currency: str = ""
) -> Price | None:
    """Parse a price such as `1.234,50 €`, `$19.99`, `CHF 1'200.-`, `₹1,39,900` or `1299`.

    Three digits after the only mark are decimals or thousands. What the column shows decides, then what the currency beside the
    price has, other columns, the currency of the row, and at last, where no currency is known, what is likely in the column.

    Args:
        text: the price.
        decimal: decimal separator, "." or ","; "" to detect it.
        usual: what the prices of its column show.
        others: decimal separator of the other columns of prices; "" if they show none.
        currency: of the price, if it names none itself.

    Returns:
        The price; None if the text is empty.

    Raises:
        RowRejected: the text is not a price, is negative, or is ambiguous.
    """
    text = _simplified(text)
    if not text:
        return None
    if decimal != "," and _PLAIN.fullmatch(text):
        return Price(Decimal(text))
    before, number, after = _located(text)
    if before.endswith("-"):
        raise RowRejected(row_facts.PRICE_NEGATIVE(price=text))
    found = [_currencies(affix, text) for affix in (before, after) if affix]
    currencies = found[0] if found else ()
    if len(found) == 2:
        currencies = tuple(code for code in found[0] if code in found[1])
        if not currencies:
            raise RowRejected(row_facts.PRICE_OF_TWO_CURRENCIES(price=text))
    if not decimal:
        known = currency if currency in currencies or not currencies else currencies[0]
        decimal = _decimal_separator(number, text, usual, others, known, has_sign=bool(currencies))
    return Price(_amount(number, text, decimal), currencies)


def decimals_of_column(texts: Iterable[str]) -> DecimalsOfColumn:
    """What the prices of a column show about its decimals.

    Args:
        texts: the prices.

    Returns:
        What all those say that can be read in one way only, or else what is likely.
    """
    numbers = []
    for text in texts:
        with suppress(RowRejected):
            numbers.append(_located(_simplified(text))[1])
    decimals = [_evident_decimal(number) for number in numbers]
    shown = {each for each in decimals if each}
    # Marks that occur twice are between groups: the other one is before decimals.
    shown |= {"." if mark == "," else "," for number in numbers for mark in ".," if number.count(mark) > 1}
    if shown:
        return DecimalsOfColumn(shown.pop()) if len(shown) == 1 else NOTHING_SHOWN
    ambiguous = [number for number, decimal in zip(numbers, decimals, strict=True) if decimal is None]
    marks = {mark for number in ambiguous for mark in number if mark in ".,"}
    # What has three decimals has them in each price, and coins of less than five thousandths are not in use.
    has_whole = any(number.isdigit() and len(number) >= _MIN_DIGITS for number in numbers)
    has_odd = any(number[-1] not in "05" for number in ambiguous)
    is_likely = len(marks) == 1 and (has_whole or (has_odd and "," in marks))
    return DecimalsOfColumn(likely_groups="".join(marks) if is_likely else "")


def rounded(price: Decimal, currency: str) -> Decimal:
    """A price with the decimals that it can be stored and paid with.

    Args:
        price: in units of the currency.
        currency: ISO 4217 code.

    Returns:
        The same number, or the nearest one with two decimals, or with those of the currency if it has more.
    """
    return price.quantize(Decimal(1).scaleb(-decimals(currency)), ROUND_HALF_UP)


def _simplified(text: str) -> str:
    """Without the differences of digits, spaces, apostrophes and full-width letters that mean nothing."""
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    if not text.isascii():
        text = "".join(str(unicodedata.decimal(each)) if each.isdecimal() else each for each in text)
    # price-parser knows spaces between groups, but not the apostrophes of Switzerland.
    return _BETWEEN_DIGITS.sub(" ", " ".join(text.split()))


def _located(text: str) -> tuple[str, str, str]:
    """What stands before the number, the number, and what stands after it."""
    if len(text) > _MAX_CHARACTERS:
        raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40])))
    number = (ParsedPrice.fromstring(text).amount_text or "").strip()
    start = text.find(number) if number else -1
    if start < 0:
        raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40])))
    # A point or comma that a number ends with is none of its own: `19,-`.
    after = _NO_CENTS.sub("", text[start + len(number) :], count=1).strip().rstrip("*").strip()
    if said := _IN_BRACKETS.search(after):
        mark = said[1].strip()
        after = f"{after[: said.start()]} {mark if currencies_of(mark) else ''}".strip()
    before = text[:start].strip()
    if re.search(r"\d", before + after):
        raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40])))
    return before, number.rstrip("., "), after


def _currencies(affix: str, text: str) -> tuple[str, ...]:
    found = currencies_of(affix) or _code_and_sign(affix)
    if not found and affix != ".":
        raise RowRejected(row_facts.NOT_A_PRICE(text=repr(text[:40])))
    return found


def _code_and_sign(affix: str) -> tuple[str, ...]:
    """The currency of a code with a sign beside it that is one of its own: `USD $`, `MXN$`."""
    for code, sign in ((affix[:3], affix[3:]), (affix[-3:], affix[:-3])):
        of_sign = currencies_of(sign)
        both = tuple(each for each in currencies_of(code) if each in of_sign)
        if code.isalpha() and both:
            return both
    return ()


def _evident_decimal(number: str) -> str | None:
    """The decimal separator of this number; "" if it has no fraction, None if that can be read in two ways."""
    points = [mark for mark in number if mark in ".,"]
    if not points:
        return ""
    last = points[-1]
    if points.count(last) > 1:
        # Marks that occur twice are between groups.
        return ""
    integer, _, fraction = number.rpartition(last)
    if len(fraction) != 3 or len(set(points)) > 1 or " " in integer:
        return last
    # 0.750 and 1234.567 have no groups.
    return last if integer.startswith("0") or len(integer) > 3 else None


def _decimal_separator(
    number: str, text: str, usual: DecimalsOfColumn, others: str, currency: str, *, has_sign: bool
) -> str:
    evident = _evident_decimal(number)
    if evident is not None:
        return evident
    mark = "." if "." in number else ","
    of_currency = _by_currency(mark, currency)
    for decimal in (usual.shown, of_currency if has_sign else None, others, of_currency):
        if decimal:
            return mark if decimal == mark else ""
    if usual.likely_groups == mark and not currency:
        return ""
    raise RowRejected(row_facts.PRICE_AMBIGUOUS(price=text))


def _by_currency(mark: str, currency: str) -> str | None:
    """The decimal separator of a price with three digits behind this mark, as far as its currency shows it."""
    if currency and precision(currency) < 3:
        return "," if mark == "." else "."
    return mark if currency and mark == "." else None


def _amount(number: str, text: str, decimal: str) -> Decimal:
    integer, _, fraction = number.rpartition(decimal) if decimal and decimal in number else (number, "", "")
    grouped = _GROUPS.fullmatch(integer) or _INDIAN_GROUPS.fullmatch(integer) or integer.isdigit()
    if not (grouped or (fraction and not integer)) or (fraction and not fraction.isdigit()):
        raise RowRejected(row_facts.PRICE_UNREADABLE(price=text))
    digits = re.sub(r"\D", "", integer)
    amount = Decimal(f"{digits or 0}.{fraction or 0}")
    if amount >= _MAX_AMOUNT:
        raise RowRejected(row_facts.PRICE_TOO_LARGE(price=text))
    return amount
