"""Everything that can go wrong with a request to the recommender, by the domain's own names."""

from __future__ import annotations


class RecommenderError(Exception):
    """Base of every error that this service raises on purpose; its message says what to do."""


class ProductNotFound(RecommenderError):
    """There is no such product, or it is not shown any more."""

    def __init__(self, product_id: int) -> None:
        super().__init__(f"there is no product {product_id}, or it is not shown any more")


class PageNotFound(RecommenderError):
    """The list is shorter than that."""
