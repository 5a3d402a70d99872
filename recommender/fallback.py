"""The fallback where a product has no vector: the newest products of its category, then of the parents, then of the collection.
While the index is away, the bestsellers of the category come first.

Products that have no photo to show, or a placeholder, come only from its own category, behind the others.
Rules fill answers that have too few products from here, too, or from the bestsellers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce

from catalog.cards import ProductCard, product_cards, visible_cards
from catalog.filters import ProductFilter
from catalog.kept import Kept
from catalog.models import Product, ProductImage, lineage
from catalog.selectors import visible_products
from jobs.process import process
from recommender.popularity import bought

# Products that are read at once.
_PAGE = 64


def newest_in_category(
    category: str,
    covered: Q,
    product_filter: ProductFilter,
    *,
    limit: int,
    excluded_ids: Collection[int],
    stamp: int | None = None,
) -> list[ProductCard]:
    """The newest visible products of a category; where they are too few, of its ancestors and then of any category.

    Args:
        category: slug path, or "". Its subtree comes first.
        covered: condition that every product has to meet, by which the collection covers it.
        product_filter: conditions that every product has to meet.
        limit: the maximum number of products.
        excluded_ids: ids of products that are never returned.
        stamp: of the catalogue, see `catalog.kept`.

    Returns:
        Cards, one of each family of variants, within each category the newest first.
    """
    within = product_filter.category or ""
    categories = lineage(category)[::-1]
    if within:
        categories = [path for path in categories if f"{path}/".startswith(f"{within}/")]
    paths = [*categories, within]
    steps = [_Step(replace(product_filter, category=path), True) for path in paths]
    steps.insert(1, _Step(steps[0].filter, False))
    excluded = {*excluded_ids}
    chosen: dict[int, int] = {}
    for step in steps:
        if len(chosen) >= limit:
            break
        before = {*chosen}
        for product_id, family in _newest(covered, step, stamp):
            if product_id not in excluded and product_id not in before:
                chosen.setdefault(family, product_id)
            if len(chosen) == limit:
                break
    # Conditions on those that were deleted or hidden meanwhile are the cards' own.
    cards = visible_cards([*chosen.values()], stamp)
    return [cards[each] for each in chosen.values() if each in cards]


class _Step(NamedTuple):
    """Where products are looked for: those that meet a filter and have, or have not, a photo to show."""

    filter: ProductFilter
    has_photo: bool


class _KeptNewest(Kept[ProductFilter, Sequence[tuple[int, int, bool]]]):
    """The first _PAGE of the newest products that meet a filter: id, family, whether it has a photo to show; in some 10 MB."""

    most = 1_000


def _newest(covered: Q, step: _Step, stamp: int | None) -> Iterator[tuple[int, int]]:
    """Products of a step, the newest first: id and family."""
    # The condition of a part of the catalogue has queries in it, which are never the same twice.
    first = process.get(_KeptNewest).get_each(
        None if covered else stamp, [step.filter], lambda _: {step.filter: _page(covered, step.filter)}
    )[step.filter]
    yield from ((product_id, family) for product_id, family, has_photo in first if has_photo is step.has_photo)
    page = first
    while len(page) == _PAGE:
        page = [*_of_filter(covered, step.filter, step.has_photo).filter(pk__lt=page[-1][0])[:_PAGE]]
        yield from ((product_id, family) for product_id, family, _ in page)


def _page(covered: Q, product_filter: ProductFilter) -> Sequence[tuple[int, int, bool]]:
    return [*_of_filter(covered, product_filter)[:_PAGE]]


def _of_filter(
    covered: Q, product_filter: ProductFilter, has_photo: bool | None = None
) -> QuerySet[Product, tuple[int, int, bool]]:
    """Id, family, and whether it has a photo to show, of those that have or have not; None: of all. The newest first."""
    photo = Exists(ProductImage.objects.compared().filter(product=OuterRef("pk")).order_by())
    products = visible_products().filter(covered).matching(product_filter).order_by("-id")
    if has_photo is not None:
        products = products.filter(photo if has_photo else ~photo)
    return products.values_list("id", Coalesce("variant_of", "id"), photo)


def popular_in_category(
    category: str,
    covered: Q,
    product_filter: ProductFilter,
    *,
    limit: int,
    excluded_ids: Collection[int],
    stamp: int | None = None,
) -> list[ProductCard]:
    """The bestsellers of a category, and behind them its newest products.

    Args:
        category: slug path, or "".
        covered: condition that every product has to meet, by which the collection covers it.
        product_filter: conditions that every product has to meet.
        limit: the maximum number of products.
        excluded_ids: ids of products that are never returned.
        stamp: of the catalogue, see `catalog.kept`.

    Returns:
        Cards, one of each family of variants.
    """
    within = product_filter.category or ""
    is_inside = not within or f"{category}/".startswith(f"{within}/")
    chosen = replace(product_filter, category=category if is_inside else within)
    sold = bestsellers(covered, chosen, limit=limit, excluded_ids=excluded_ids)
    families = {card.family for card in sold}
    excluded = {*excluded_ids, *(card.id for card in sold)}
    newest = newest_in_category(category, covered, product_filter, limit=limit, excluded_ids=excluded, stamp=stamp)
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
