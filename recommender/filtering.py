"""The filtering stage: the conditions of a request for the vector index, and one product of each family."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from catalog.cards import ProductCard
from catalog.filters import Lookup, ProductFilter
from embeddings.vector_index.base import Filter, Hit, Range


def to_index_filter(product_filter: ProductFilter, excluded_ids: Collection[int]) -> Filter:
    """Translate a product filter for the vector index.

    Args:
        product_filter: each condition's field has to be one of PAYLOAD_FIELDS.
        excluded_ids: ids of products that are never returned.

    Returns:
        The same conditions, of which inactive products meet none.
    """
    match: dict[str, Any] = {"active": True}
    match_any: dict[str, list[Any]] = {}
    bounds: dict[str, dict[str, float]] = {}
    for condition, value in product_filter.conditions():
        match condition.lookup:
            # The payload of a category holds the paths of its ancestors, too.
            case Lookup.EXACT | Lookup.SUBTREE:
                match[condition.field] = value
            case Lookup.ANY_OF:
                match_any[condition.field] = list(value)
            case Lookup.MINIMUM:
                bounds.setdefault(condition.field, {})["gte"] = float(value)
            case Lookup.MAXIMUM:
                bounds.setdefault(condition.field, {})["lte"] = float(value)
    return Filter(
        match=match,
        match_any=match_any,
        exclude={"product_id": sorted(excluded_ids)} if excluded_ids else {},
        ranges={name: Range(**ends) for name, ends in bounds.items()},
    )


def deduplicate_families(hits: Iterable[Hit], cards: Mapping[int, ProductCard]) -> list[Hit]:
    """Keep the first hit of each family of variants.

    Args:
        hits: best first.
        cards: of the hits' products, by product id.

    Returns:
        The hits that are kept, in the same order.
    """
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(cards[hit.product_id].family, hit)
    return list(best.values())
