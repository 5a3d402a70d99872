"""How the back office writes figures."""

from __future__ import annotations

from django import template
from django.utils.formats import number_format

register = template.Library()


@register.filter
def grouped(number: float) -> str:
    """12,345, as the page's language groups digits."""
    return number_format(number, decimal_pos=0, force_grouping=True)


@register.filter
def percent_of(part: float, whole: float) -> str:
    """A share of a whole: 97%. Never 100% while something is left, nor 0% where there is something."""
    if not whole:
        return "0%"
    share = 100 * part / whole
    return f"{min(max(round(share), 1), 99) if 0 < share < 100 else round(share)}%"


@register.filter
def milliseconds(seconds: float) -> str:
    """4.2 ms, 120 ms."""
    figure = seconds * 1000
    return f"{number_format(figure, decimal_pos=0 if figure >= 10 else 1, force_grouping=True)}\N{NO-BREAK SPACE}ms"


@register.filter
def score(figure: float | None) -> str:
    """A measure from 0 to 1, or a dash where nobody measured it."""
    return "–" if figure is None else number_format(figure, decimal_pos=3)  # noqa: RUF001
