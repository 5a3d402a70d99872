"""Prices as people write them."""

from __future__ import annotations

from decimal import Decimal

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


def money(price: Decimal, currency: str) -> str:
    """Format a price for display: €24.90, ¥1,200, CHF 9.50.

    Args:
        price: in units of the currency, not cents.
        currency: ISO 4217 code.

    Returns:
        The price with the currency's sign, or its code where there is no common sign; digits are grouped as in the active language.
    """
    digits = number_format(
        price, decimal_pos=0 if currency in _WITHOUT_CENTS else decimals(currency), force_grouping=True
    )
    sign = _SIGNS.get(currency)
    return f"{sign}{digits}" if sign else f"{currency}\N{NO-BREAK SPACE}{digits}"
