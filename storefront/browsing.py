"""Filters, search text and ordering of a product list, parsed from a URL and written into others."""

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
from catalog.models import PRICE_DECIMALS, PRICE_DIGITS
from catalog.money import money
from catalog.selectors import in_shop_currency

MAX_TEXT_LENGTH = 200
MAX_BRANDS = 50
NEWEST = "newest"
# Of a search by words alone.
BEST = "best"
# As a visitor types it, with the decimals that prices have: three for Kuwaiti dinars.
_PRICE = re.compile(rf"[0-9]{{1,{PRICE_DIGITS - PRICE_DECIMALS}}}(?:[.,][0-9]{{1,{PRICE_DECIMALS}}})?")

# Values of the URL parameter `sort`, with their labels and the arguments of `order_by`.
SORTS: Mapping[str, tuple[Any, tuple[str | OrderBy, ...]]] = {
    BEST: (gettext_lazy("Best match"), ("-id",)),
    NEWEST: (gettext_lazy("Newest first"), ("-id",)),
    "price": (gettext_lazy("Price: low to high"), (F("price").asc(nulls_last=True), "-id")),
    "price-down": (gettext_lazy("Price: high to low"), (F("price").desc(nulls_last=True), "-id")),
    "name": (gettext_lazy("Name: A to Z"), ("title", "-id")),
}


def default_sort(text: str) -> str:
    """How a list is sorted unless the visitor chooses: results of a search by how well they match."""
    return BEST if text else NEWEST


def sorts(text: str) -> Mapping[str, Any]:
    """The labels of the orders that a list can have, by their key in SORTS."""
    return {name: label for name, (label, _order) in SORTS.items() if text or name != BEST}


@dataclass(frozen=True, slots=True)
class ProductQuery:
    """A product list: its filters, search text and ordering.

    Attributes:
        category: slug path; "" for the whole shop.
        text: what is searched for; "" for none.
        brands: any of them; empty for all.
        min_price: lower bound, included.
        max_price: upper bound, included.
        available: True for products in stock only.
        sort: a key of `SORTS`.
        looks: whether the search finds what looks like the best that the words find, too.
        warnings: for the visitor, about parameters that were ignored.
    """

    category: str = ""
    text: str = ""
    brands: tuple[str, ...] = ()
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    available: bool | None = None
    sort: str = NEWEST
    looks: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def filter(self) -> ProductFilter:
        """All conditions except the text; prices are in the shop's currency."""
        chosen = ProductFilter(
            category=self.category,
            brands=self.brands,
            min_price=self.min_price,
            max_price=self.max_price,
            available=self.available,
        )
        return in_shop_currency(chosen)

    @property
    def ordering(self) -> tuple[str | OrderBy, ...]:
        """Arguments of `order_by`."""
        return SORTS[self.sort][1]

    @property
    def filter_count(self) -> int:
        """Number of active filters; a price range counts once."""
        return len(self.brands) + (self.min_price is not None or self.max_price is not None) + bool(self.available)

    @property
    def url(self) -> str:
        """URL of the list. A text search within a category has the search URL."""
        params: list[tuple[str, str]] = [("q", self.text)] if self.text else []
        path = reverse("storefront:products")
        if self.category and self.text:
            params.append(("category", self.category))
        elif self.category:
            path = reverse("storefront:category", kwargs={"category_path": self.category})
        params += [("brand", brand) for brand in self.brands]
        params += [
            (name, str(price))
            for name, price in (("min_price", self.min_price), ("max_price", self.max_price))
            if price is not None
        ]
        params += [("available", "1")] if self.available else []
        params += [("looks", "1")] if self.looks else []
        params += [("sort", self.sort)] if self.sort != default_sort(self.text) else []
        return f"{path}?{urlencode(params)}" if params else path


@dataclass(frozen=True, slots=True)
class FilterChip:
    """An active filter: its label, and the URL of the list without it."""

    label: str
    url: str


def parse_query(params: QueryDict, category: str) -> ProductQuery:
    """Parse the query string of a product list.

    Args:
        params: query string.
        category: slug path of the category page; "" for the whole shop.

    Returns:
        The query. Invalid parameters are ignored, with a warning where the visitor typed them.
    """
    warnings: list[str] = []
    low, high = (_price(params.get(name, ""), warnings) for name in ("min_price", "max_price"))
    if low is not None and high is not None and low > high:
        warnings.append(_("The minimum price is above the maximum; both filters were ignored."))
        low = high = None
    brands = dict.fromkeys(filter(None, map(_strip_nul, params.getlist("brand"))))
    text = _strip_nul(params.get("q", ""))
    sort = params.get("sort", "")
    return ProductQuery(
        category=category,
        text=text,
        brands=tuple(brands)[:MAX_BRANDS],
        min_price=low,
        max_price=high,
        available=True if params.get("available") == "1" else None,
        sort=sort if sort in sorts(text) else default_sort(text),
        looks=bool(text) and params.get("looks") == "1",
        warnings=tuple(warnings),
    )


def filter_chips(query: ProductQuery, currency: str) -> list[FilterChip]:
    """Make a chip for each active filter.

    Args:
        query: the product list.
        currency: of the prices.

    Returns:
        Chips of the brands, the price range and the availability.
    """
    chips = [
        FilterChip(brand, replace(query, brands=tuple(other for other in query.brands if other != brand)).url)
        for brand in query.brands
    ]
    if query.min_price is not None or query.max_price is not None:
        label = _range(query.min_price, query.max_price, currency)
        chips.append(FilterChip(label, replace(query, min_price=None, max_price=None).url))
    if query.available:
        chips.append(FilterChip(_("In stock"), replace(query, available=None).url))
    return chips


def clear_filters_url(query: ProductQuery) -> str:
    """URL of the same list without filters, in the same order."""
    return ProductQuery(category=query.category, text=query.text, sort=query.sort, looks=query.looks).url


def _strip_nul(text: str) -> str:
    """Text without NUL characters, which PostgreSQL does not store."""
    return text.replace("\0", "").strip()[:MAX_TEXT_LENGTH]


def _price(value: str, warnings: list[str]) -> Decimal | None:
    text = _strip_nul(value)
    if not text:
        return None
    if not _PRICE.fullmatch(text):
        warnings.append(_("“%(text)s” is not a valid price; the filter was ignored.") % {"text": text[:40]})
        return None
    return Decimal(text.replace(",", "."))


def _range(low: Decimal | None, high: Decimal | None, currency: str) -> str:
    def formatted(price: Decimal) -> str:
        return money(price, currency)

    if low is None:
        return _("up to %(price)s") % {"price": formatted(high or Decimal(0))}
    if high is None:
        return _("from %(price)s") % {"price": formatted(low)}
    return _("%(low)s to %(high)s") % {"low": formatted(low), "high": formatted(high)}
