"""Prices as people write them."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from django.utils.formats import number_format

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
_WITHOUT_CENTS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"})


def decimals(currency: str) -> int:
    """Decimals of a price in data: three where the currency has them, otherwise two.

    Args:
        currency: ISO 4217 code.

    Returns:
        2 or 3.
    """
    return 3 if currency in _THREE_DECIMALS else 2


def smallest_unit(currency: str) -> Decimal:
    """The least that can be paid in a currency: 0.01 EUR, 1 JPY. currency: ISO 4217 code."""
    return Decimal(1).scaleb(-_shown_decimals(currency))


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


def _shown_decimals(currency: str) -> int:
    return 0 if currency in _WITHOUT_CENTS else decimals(currency)


def money(price: Decimal, currency: str) -> str:
    """Format a price for display: €24.90, ¥1,200, CHF 9.50.

    Args:
        price: in units of the currency, not cents.
        currency: ISO 4217 code.

    Returns:
        The price with the currency's sign, or its code where there is no common sign; digits are grouped as in the active language.
    """
    digits = number_format(price, decimal_pos=_shown_decimals(currency), force_grouping=True)
    sign = _SIGNS.get(currency)
    return f"{sign}{digits}" if sign else f"{currency}\N{NO-BREAK SPACE}{digits}"
