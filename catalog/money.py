"""Prices as people write them, by CLDR's data of currencies and languages."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency
from django.utils.translation import get_language, to_locale

from product_files.values.currencies import MAX_DECIMALS, precision

_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def smallest_unit(currency: str) -> Decimal:
    """The least that can be paid in a currency: 0.01 EUR, 1 JPY. currency: ISO 4217 code."""
    return Decimal(1).scaleb(-min(precision(currency), MAX_DECIMALS))


def round_price(price: Decimal, currency: str) -> Decimal:
    """Round a price to what can be paid in its currency: half a cent up.

    Args:
        price: in units of the currency.
        currency: ISO 4217 code.

    Returns:
        A price with the currency's decimals: 12.50 EUR, 1200 JPY, 4.125 KWD.
    """
    return price.quantize(smallest_unit(currency), rounding=ROUND_HALF_UP)


def plain_price(price: Decimal, currency: str) -> Decimal:
    """A price with the currency's decimals, for a field in which it is edited; more of them if it has more.

    Args:
        price: in units of the currency, as the database has it: 12.500.
        currency: ISO 4217 code.

    Returns:
        An equal price: 12.50 EUR, 1200 JPY.
    """
    rounded = round_price(price, currency)
    return rounded if rounded == price else price.normalize()


def money(price: Decimal, currency: str) -> str:
    """Format a price for display: €24.90, ¥1,200, CHF 9.50, and as the active language writes them.

    Args:
        price: in units of the currency, not cents.
        currency: ISO 4217 code.

    Returns:
        The price with the currency's sign, or its code where the language has no sign for it.
    """
    # Babel leaves out the space that CLDR wants between letters and digits.
    return _LETTER_BESIDE_DIGIT.sub("\N{NO-BREAK SPACE}", format_currency(price, currency, locale=_locale()))


def _locale() -> Locale:
    language = get_language() or "en"
    try:
        return Locale.parse(to_locale(language))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")
