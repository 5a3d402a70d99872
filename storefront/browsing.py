"""What a visitor asks of a list of products: which ones and in which order, read from an address and written into others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.db.models import F
from django.db.models.expressions import OrderBy
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.filters import ProductFilter
from catalog.money import money

LONGEST_TEXT = 200
MOST_BRANDS = 50
NEWEST = "newest"

# Names of orders as they stand in an address, with what a visitor reads and what the database sorts by.
SORTS: Mapping[str, tuple[Any, tuple[str | OrderBy, ...]]] = {
    NEWEST: (gettext_lazy("Newest first"), ("-id",)),
    "price": (gettext_lazy("Price: low to high"), (F("price").asc(nulls_last=True), "-id")),
    "price-down": (gettext_lazy("Price: high to low"), (F("price").desc(nulls_last=True), "-id")),
    "name": (gettext_lazy("Name: A to Z"), ("title", "-id")),
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """Which products, in which order. category: slug path, "" for the whole shop. problems: what could not be read, in words."""

    category: str = ""
    text: str = ""
    brands: tuple[str, ...] = ()
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    available: bool | None = None
    sort: str = NEWEST
    problems: tuple[str, ...] = ()

    @property
    def filter(self) -> ProductFilter:
        """The conditions, all but the text."""
        return ProductFilter(
            category=self.category,
            brands=self.brands,
            min_price=self.min_price,
            max_price=self.max_price,
            available=self.available,
        )

    @property
    def order(self) -> tuple[str | OrderBy, ...]:
        """What the database sorts by."""
        return SORTS[self.sort][1]

    @property
    def narrowed(self) -> int:
        """How many conditions the visitor has chosen."""
        return len(self.brands) + (self.min_price is not None or self.max_price is not None) + bool(self.available)

    @property
    def address(self) -> str:
        """The address of the list. A search within a category stays a search."""
        asked: list[tuple[str, str]] = [("q", self.text)] if self.text else []
        path = reverse("storefront:products")
        if self.category and self.text:
            asked.append(("category", self.category))
        elif self.category:
            path = reverse("storefront:category", kwargs={"category_path": self.category})
        asked += [("brand", brand) for brand in self.brands]
        asked += [
            (name, str(price))
            for name, price in (("min_price", self.min_price), ("max_price", self.max_price))
            if price is not None
        ]
        asked += [("available", "1")] if self.available else []
        asked += [("sort", self.sort)] if self.sort != NEWEST else []
        return f"{path}?{urlencode(asked)}" if asked else path


@dataclass(frozen=True, slots=True)
class Chip:
    """A condition in words, and the address of the list without it."""

    label: str
    address: str


def read(query: QueryDict, category: str) -> Wishes:
    """What an address asks for. What cannot be read is left out and told in `problems`."""
    problems: list[str] = []
    low, high = (_price(query.get(name, ""), problems) for name in ("min_price", "max_price"))
    if low is not None and high is not None and low > high:
        problems.append(_("The lowest price is above the highest: both were left out."))
        low = high = None
    brands = dict.fromkeys(filter(None, map(_clean, query.getlist("brand"))))
    sort = query.get("sort", NEWEST)
    return Wishes(
        category=category,
        text=_clean(query.get("q", "")),
        brands=tuple(brands)[:MOST_BRANDS],
        min_price=low,
        max_price=high,
        available=True if query.get("available") == "1" else None,
        sort=sort if sort in SORTS else NEWEST,
        problems=tuple(problems),
    )


def chips(wishes: Wishes, currency: str) -> list[Chip]:
    """A chip for each condition that the visitor has chosen. currency: of the prices, "" where there are several."""
    found = [
        Chip(brand, replace(wishes, brands=tuple(other for other in wishes.brands if other != brand)).address)
        for brand in wishes.brands
    ]
    if wishes.min_price is not None or wishes.max_price is not None:
        label = _range(wishes.min_price, wishes.max_price, currency)
        found.append(Chip(label, replace(wishes, min_price=None, max_price=None).address))
    if wishes.available:
        found.append(Chip(_("In stock"), replace(wishes, available=None).address))
    return found


def everything(wishes: Wishes) -> str:
    """The address of the same list without any of the visitor's conditions, in the same order."""
    return Wishes(category=wishes.category, text=wishes.text, sort=wishes.sort).address


def _clean(text: str) -> str:
    """PostgreSQL takes no NUL in a text."""
    return text.replace("\0", "").strip()[:LONGEST_TEXT]


def _price(text: str, problems: list[str]) -> Decimal | None:
    given = _clean(text)
    if not given:
        return None
    if not re.fullmatch(r"[0-9]{1,10}(?:[.,][0-9]{1,2})?", given):
        problems.append(_("“%(given)s” is not a price such as 12.50: it was left out.") % {"given": given[:40]})
        return None
    return Decimal(given.replace(",", "."))


def _range(low: Decimal | None, high: Decimal | None, currency: str) -> str:
    def shown(price: Decimal) -> str:
        return money(price, currency) if currency else f"{price:f}"

    if low is None:
        return _("up to %(price)s") % {"price": shown(high or Decimal(0))}
    if high is None:
        return _("from %(price)s") % {"price": shown(low)}
    return _("%(low)s to %(high)s") % {"low": shown(low), "high": shown(high)}
