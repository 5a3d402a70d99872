"""The errors of the catalogue's reads."""

from __future__ import annotations


class CatalogError(Exception):
    """Base of the errors that reads of the catalogue raise on purpose; the message is a fact with its remedy."""


class ProductNotFound(CatalogError):
    """The product does not exist, or it is not visible."""

    def __init__(self, product_id: int) -> None:
        super().__init__(f"product {product_id} does not exist or is no longer visible")


class PageNotFound(CatalogError):
    """The list has fewer pages."""

    def __init__(self, page: int, *, count: int, page_size: int) -> None:
        super().__init__(f"page {page} does not exist: {count} products have {-(-count // page_size)} pages")
