"""The filtering stage: which products may be recommended, as the index is asked and as the database then confirms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from catalog.selectors import ProductCard
from embeddings.vector_index.base import Filter, Hit, Range


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """What a shopper asked for; None leaves a condition out. `category`: slug path, its subtree included."""

    category: str | None = None
    brand: str | None = None
    min_price: Decimal | None = None
    max_price: Decimal | None = None
    available: bool | None = None

    def for_index(self, hidden: Collection[int]) -> Filter:
        """The same conditions for the vector index. hidden: ids of products that are never returned."""
        match: dict[str, Any] = {"active": True}
        for name in ("category", "brand", "available"):
            if (value := getattr(self, name)) is not None:
                match[name] = value
        ranges = {}
        if self.min_price is not None or self.max_price is not None:
            ranges["price"] = Range(
                gte=None if self.min_price is None else float(self.min_price),
                lte=None if self.max_price is None else float(self.max_price),
            )
        return Filter(match=match, exclude={"product_id": sorted(hidden)} if hidden else {}, ranges=ranges)

    def allows(self, card: ProductCard) -> bool:
        """Whether the product meets the conditions as the database tells it now; the index may lag behind."""
        return (
            (self.category is None or f"{card.category}/".startswith(f"{self.category}/"))
            and (self.brand is None or card.brand == self.brand)
            and (self.available is None or card.available == self.available)
            and (self.min_price is None or (card.price is not None and card.price >= self.min_price))
            and (self.max_price is None or (card.price is not None and card.price <= self.max_price))
        )


EVERYTHING = ProductFilter()


def one_of_each_family(hits: Iterable[Hit], cards: Mapping[int, ProductCard]) -> list[Hit]:
    """The first hit of each family of variants, order kept. cards: of the hits' products, by id."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(cards[hit.product_id].family, hit)
    return list(best.values())
