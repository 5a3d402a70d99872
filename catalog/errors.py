"""The errors of the catalogue's reads, and of imports as jobs."""

from __future__ import annotations

from jobs.errors import JobsError

_SHOWN_CHARACTERS = 255


class CatalogError(Exception):
    """Base of the errors that reads of the catalogue raise on purpose; the message is a fact with its remedy."""


class FeedNotFound(CatalogError):
    """There is no such feed."""


class ProductNotFound(CatalogError):
    """The product does not exist, or it is not visible."""

    def __init__(self, product_id: int | None = None, *, sku: str = "") -> None:
        """Name the product as the client did.

        Args:
            product_id: its id; None where it was named by its SKU.
            sku: its SKU.
        """
        if product_id is None:
            super().__init__(
                f"there is no product with this SKU: {sku[:_SHOWN_CHARACTERS]!r}, or it is no longer visible"
            )
        else:
            super().__init__(f"product {product_id} does not exist or is no longer visible")


class ProductMerged(CatalogError):
    """The product was merged into another one, so that it stays as it is."""

    def __init__(self, sku: str) -> None:
        super().__init__(
            f"the product with the SKU {sku!r} was merged into another one and is no longer changed: change that one, or delete"
            " this one and create it again"
        )


class PageNotFound(CatalogError):
    """The list has fewer pages."""

    def __init__(self, page: int, *, count: int, page_size: int) -> None:
        super().__init__(f"page {page} does not exist: {count} products have {-(-count // page_size)} pages")


class DryRunFileExpired(JobsError):
    """The job is not a dry run whose file is still stored, so nothing can be imported from it."""


class NoRejectedRows(JobsError):
    """The job has no file of rejected rows: nothing was rejected, it has not succeeded, or it ended too long ago."""
