"""Prices as people write them, by CLDR's data of currencies and languages."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency, get_currency_precision
from django.utils.translation import get_language, to_locale

# Decimals of a stored price.
_MAX_DECIMALS = 3
_LETTER_BESIDE_DIGIT = re.compile(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])")


def precision(currency: str) -> int:
    """Number of decimals that a currency has: 2 for EUR, 0 for JPY, 3 for KWD.

    Args:
        currency: ISO 4217 code.

    Returns:
        The number; 2 for a currency that is not known.
    """
    return get_currency_precision(currency)


@lru_cache(maxsize=512)
def decimals(currency: str) -> int:
    """Decimals of a price in data: three where the currency has them, otherwise two.

    Args:
        currency: ISO 4217 code.

    Returns:
        2 or 3.
    """
    return min(max(precision(currency), 2), _MAX_DECIMALS)


def smallest_unit(currency: str) -> Decimal:
    """The least that can be paid in a currency: 0.01 EUR, 1 JPY. currency: ISO 4217 code."""
    return Decimal(1).scaleb(-min(precision(currency), _MAX_DECIMALS))


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
