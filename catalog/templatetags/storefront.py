"""How the storefront's pages write a price and find a small picture."""

from __future__ import annotations

from decimal import Decimal

from django import template
from django.utils.formats import number_format

from catalog.thumbnails import thumbnail_url

register = template.Library()

_SIGNS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩"}
_WITHOUT_CENTS = frozenset({"CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF"})


@register.filter
def money(price: Decimal, currency: str) -> str:
    """A price for people: €24.90, ¥1,200, CHF 9.50; digits as the page's language groups them."""
    digits = number_format(price, decimal_pos=0 if currency in _WITHOUT_CENTS else 2, force_grouping=True)
    sign = _SIGNS.get(currency)
    return f"{sign}{digits}" if sign else f"{currency}\N{NO-BREAK SPACE}{digits}"


@register.filter
def thumbnail(name: str, side: int) -> str:
    """The address of a photo's thumbnail."""
    return thumbnail_url(name, side)
