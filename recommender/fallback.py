"""What is recommended where nothing can be compared: the newest products of the same category, then of those above."""

from __future__ import annotations

from collections.abc import Collection
from itertools import count

from django.db.models import QuerySet

from catalog.models import Product, lineage
from catalog.selectors import ProductCard, product_cards, products_matching
from recommender.filtering import ProductFilter


def products_of_like_category(
    category: str, conditions: ProductFilter, *, limit: int, hidden: Collection[int]
) -> list[ProductCard]:
    """Up to `limit` visible products that meet the conditions, newest first within each circle.

    category: slug path or "". Its subtree is the first circle, those of its ancestors follow, then comes any category.
    """
    within = conditions.category or ""
    circles = lineage(category)[::-1]
    if within:
        circles = [path for path in circles if f"{path}/".startswith(f"{within}/")]
    found: list[ProductCard] = []
    for circle in [*circles, within]:
        if len(found) >= limit:
            break
        products = products_matching(
            category=circle,
            brand=conditions.brand,
            min_price=conditions.min_price,
            max_price=conditions.max_price,
            available=conditions.available,
        )
        families = {card.family for card in found}
        products = products.exclude(pk__in=hidden).exclude(pk__in=families).exclude(variant_of__in=families)
        found += _one_of_each_family(products.order_by("-id"), limit - len(found))
    return found


def _one_of_each_family(products: QuerySet[Product], limit: int) -> list[ProductCard]:
    """The first `limit` of these products of which none is a variant of another."""
    found: dict[int, ProductCard] = {}
    for start in count(0, limit):
        cards = product_cards(products[start : start + limit])
        for card in cards:
            found.setdefault(card.family, card)
        if len(found) >= limit or len(cards) < limit:
            break
    return list(found.values())[:limit]
