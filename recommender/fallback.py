"""What is recommended where nothing can be compared: the newest products of the same category, then of those above."""

from __future__ import annotations

from collections.abc import Collection

from catalog.models import lineage
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
        passed_over = {*hidden, *(card.id for card in found)}
        found += product_cards(products.exclude(pk__in=passed_over).order_by("-id")[: limit - len(found)])
    return found
