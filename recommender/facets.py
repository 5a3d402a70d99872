"""What found products can be narrowed down by, with counts: categories, brands, price bands, attributes.

For searches by the API, from ids that were found; the filters of the shop's own pages come from `catalog.selectors`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from catalog.json_conditions import attribute_texts
from catalog.models import Category, Product, lineage
from catalog.selectors import shop_currency

_MAX_VALUES = 20
_MAX_ATTRIBUTES = 20
# An attribute with more values is no help: a serial number.
_MAX_DISTINCT = 100
_BANDS = 5
_IDS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value, and how many of the products have it. name: for people; value: for the filter."""

    value: str
    name: str
    products: int


@dataclass(frozen=True, slots=True)
class PriceBand:
    """A range of prices, both ends included in it as filters are. None: open."""

    min_price: Decimal | None
    max_price: Decimal | None
    products: int


@dataclass(frozen=True, slots=True)
class SearchFacets:
    """What found products have.

    Attributes:
        categories: with those below them counted, by path.
        brands: most products first.
        prices: from the lowest, in `currency`; none where less than two prices differ.
        currency: of the prices: that of most of the products.
        attributes: by name, most products first.
    """

    categories: Sequence[FacetValue]
    brands: Sequence[FacetValue]
    prices: Sequence[PriceBand]
    currency: str
    attributes: Mapping[str, Sequence[FacetValue]]


def facets_of(product_ids: Collection[int]) -> SearchFacets:
    """Count what products have.

    Args:
        product_ids: of the products that were found.

    Returns:
        The facets; values without a product are left out.
    """
    categories: Counter[str] = Counter()
    brands: Counter[str] = Counter()
    prices: dict[str, list[Decimal]] = {}
    attributes: dict[str, Counter[str]] = {}
    ids = [*product_ids]
    for start in range(0, len(ids), _IDS_A_QUERY):
        rows = Product.objects.filter(pk__in=ids[start : start + _IDS_A_QUERY]).order_by()
        columns = ("category__path", "brand", "price", "currency", "attributes")
        for path, brand, price, currency, values in rows.values_list(*columns):
            categories.update(lineage(path or ""))
            brands.update([brand] if brand else [])
            if price is not None:
                prices.setdefault(currency, []).append(price)
            for name, value in values.items():
                if not isinstance(value, dict):
                    attributes.setdefault(name, Counter()).update({*attribute_texts(value)})
    names = dict(Category.objects.filter(path__in=[*categories]).values_list("path", "name"))
    currency = max(prices, key=lambda each: len(prices[each])) if prices else shop_currency()
    kept = {name: counts for name, counts in attributes.items() if 1 < len(counts) <= _MAX_DISTINCT}
    most = sorted(kept, key=lambda name: (-kept[name].total(), name))[:_MAX_ATTRIBUTES]
    return SearchFacets(
        [FacetValue(path, names.get(path, path), count) for path, count in sorted(categories.items())],
        _values(brands),
        price_bands(prices.get(currency, [])),
        currency,
        {name: _values(kept[name]) for name in most},
    )


def price_bands(prices: Sequence[Decimal]) -> list[PriceBand]:
    """Ranges of about as many prices each, between round numbers.

    Args:
        prices: in one currency.

    Returns:
        From the lowest to the highest; none where less than two prices differ.
    """
    ordered = sorted(prices)
    if len({*ordered}) < 2:
        return []
    cuts = sorted({_rounded(ordered[len(ordered) * part // _BANDS]) for part in range(1, _BANDS)})
    cuts = [cut for cut in cuts if ordered[0] < cut <= ordered[-1]]
    if not cuts:
        return []
    # A filter includes its ends: a band ends just below the beginning of the next.
    below = Decimal("0.01")
    ends = [None, *cuts, None]
    bands = [
        PriceBand(low, None if high is None else high - below, sum(_within(price, low, high) for price in ordered))
        for low, high in pairwise(ends)
    ]
    return [band for band in bands if band.products]


def _within(price: Decimal, low: Decimal | None, high: Decimal | None) -> bool:
    return (low is None or price >= low) and (high is None or price < high)


def _rounded(price: Decimal) -> Decimal:
    """To the nearest of 1, 2, 3, 4, 5, 6, 8 and 10 times a power of ten: 37 -> 40, 140 -> 100."""
    if price <= 0:
        return Decimal(0)
    power = Decimal(10) ** math.floor(price.log10())
    return min((power * step for step in (1, 2, 3, 4, 5, 6, 8, 10)), key=lambda each: abs(each - price))


def _values(counts: Mapping[str, int]) -> list[FacetValue]:
    most = sorted(counts.items(), key=lambda each: (-each[1], each[0]))[:_MAX_VALUES]
    return [FacetValue(value, value, count) for value, count in most]
