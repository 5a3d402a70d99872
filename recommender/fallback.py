"""The fallback where a product has no vector: the newest products of its category, then of the parents, then of the collection.
While the index is away, the bestsellers of the category come first.

Products that have no photo to show, or a placeholder, come only from its own category, behind the others.
Rules fill answers that have too few products from here, too, or from the bestsellers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import count
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from catalog.cards import ProductCard, product_cards
from catalog.filters import ProductFilter
from catalog.models import Product, ProductImage, lineage
from catalog.selectors import visible_products
from recommender.popularity import bought


def newest_in_category(
    category: str, covered: Q, product_filter: ProductFilter, *, limit: int, excluded_ids: Collection[int]
) -> list[ProductCard]:
    """The newest visible products of a category; where they are too few, of its ancestors and then of any category.

    Args:
        category: slug path, or "". Its subtree comes first.
        covered: condition that every product has to meet, by which the collection covers it.
        product_filter: conditions that every product has to meet.
        limit: the maximum number of products.
        excluded_ids: ids of products that are never returned.

    Returns:
        Cards, one of each family of variants, within each category the newest first.
    """
    within = product_filter.category or ""
    categories = lineage(category)[::-1]
    if within:
        categories = [path for path in categories if f"{path}/".startswith(f"{within}/")]
    cards: list[ProductCard] = []
    with_photo = Exists(ProductImage.objects.compared().filter(product=OuterRef("pk")).order_by())
    steps: list[tuple[str, Any]] = [(path, with_photo) for path in [*categories, within]]
    steps.insert(1, (steps[0][0], ~with_photo))
    for path, has_photo in steps:
        if len(cards) >= limit:
            break
        products = visible_products().filter(covered, has_photo).matching(replace(product_filter, category=path))
        families = {card.family for card in cards}
        products = products.exclude(pk__in=excluded_ids).exclude(pk__in=families).exclude(variant_of__in=families)
        cards += _one_of_each_family(products.order_by("-id"), limit - len(cards))
    return cards


def popular_in_category(
    category: str, covered: Q, product_filter: ProductFilter, *, limit: int, excluded_ids: Collection[int]
) -> list[ProductCard]:
    """The bestsellers of a category, and behind them its newest products.

    Args:
        category: slug path, or "".
        covered: condition that every product has to meet, by which the collection covers it.
        product_filter: conditions that every product has to meet.
        limit: the maximum number of products.
        excluded_ids: ids of products that are never returned.

    Returns:
        Cards, one of each family of variants.
    """
    within = product_filter.category or ""
    is_inside = not within or f"{category}/".startswith(f"{within}/")
    chosen = replace(product_filter, category=category if is_inside else within)
    sold = bestsellers(covered, chosen, limit=limit, excluded_ids=excluded_ids)
    families = {card.family for card in sold}
    newest = newest_in_category(
        category, covered, product_filter, limit=limit, excluded_ids={*excluded_ids, *(card.id for card in sold)}
    )
    return [*sold, *(card for card in newest if card.family not in families)][:limit]


def bestsellers(
    covered: Q, product_filter: ProductFilter, *, limit: int, excluded_ids: Collection[int]
) -> list[ProductCard]:
    """The visible products that were bought most, by the events that are kept, as they were minutes ago.

    Args:
        covered: condition that every product has to meet, by which the collection covers it.
        product_filter: conditions that every product has to meet.
        limit: the maximum number of products.
        excluded_ids: ids of products that are never returned.

    Returns:
        Cards, one of each family of variants, the most often bought first.
    """
    places = {product_id: place for place, product_id in enumerate(bought())}
    if not places:
        return []
    products = (
        visible_products().filter(covered, pk__in=[*places]).matching(product_filter).exclude(pk__in=excluded_ids)
    )
    by_family: dict[int, ProductCard] = {}
    for card in sorted(product_cards(products.order_by()), key=lambda card: places[card.id]):
        by_family.setdefault(card.family, card)
    return [*by_family.values()][:limit]


def _one_of_each_family(products: QuerySet[Product], limit: int) -> list[ProductCard]:
    """The first `limit` of these products of which none is a variant of another."""
    by_family: dict[int, ProductCard] = {}
    for start in count(0, limit):
        cards = product_cards(products[start : start + limit])
        for card in cards:
            by_family.setdefault(card.family, card)
        if len(by_family) >= limit or len(cards) < limit:
            break
    return list(by_family.values())[:limit]
