"""Template filters that format figures for the admin."""

from __future__ import annotations

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def grouped(number: float) -> str:
    """Group the digits as the page's language does, e.g. 12,345."""
    return number_format(number, decimal_pos=0, force_grouping=True)


@register.filter
def percent_of(part: float, whole: float) -> str:
    """A share as a percentage, e.g. 97%. Never 100% while something is missing, and never 0% if there is something."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    return f"{min(max(round(share), 1), 99) if 0 < share < 100 else round(share)}%"


@register.filter
def milliseconds(seconds: float) -> str:
    """Seconds as milliseconds, e.g. 4.2 ms or 120 ms."""
    figure = seconds * 1000
    return f"{number_format(figure, decimal_pos=0 if figure >= 10 else 1, force_grouping=True)}\N{NO-BREAK SPACE}ms"


@register.filter
def score(figure: float | None) -> str:
    """A metric from 0 to 1, or a dash if it was not measured."""
    return "–" if figure is None else number_format(figure, decimal_pos=3)  # noqa: RUF001


@register.filter
def per_hundred(rate: float | None) -> str:
    """A rate as a number for each hundred, e.g. 4.2, or a dash if there is none."""
    return "–" if rate is None else number_format(100 * rate, decimal_pos=1)  # noqa: RUF001


@register.filter
def daily(mean: float) -> str:
    """A mean of a day, e.g. 1,234 or 4.2: small ones with a decimal."""
    return number_format(mean, decimal_pos=0 if mean >= 100 else 1, force_grouping=True)


@register.filter
def change(share: float | None) -> str:
    """A change in percent with its sign, e.g. +12%, or a dash if there is none."""
    if share is None:
        return "–"  # noqa: RUF001
    sign = "+" if share >= 0 else "\N{MINUS SIGN}"
    return f"{sign}{number_format(round(abs(100 * share)), decimal_pos=0)}%"
