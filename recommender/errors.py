"""The errors of requests to the recommender."""

from __future__ import annotations


class RecommenderError(Exception):
    """Base class of the errors that this app raises on purpose."""


class ProductNotFound(RecommenderError):
    """The product does not exist or is not visible."""

    def __init__(self, product_id: int) -> None:
        super().__init__(f"product {product_id} does not exist or is no longer visible")


class PageNotFound(RecommenderError):
    """The list has fewer pages."""
