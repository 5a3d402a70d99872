"""What can be wrong with a search."""

from __future__ import annotations


class NothingToSearchFor(ValueError):
    """A search has neither words nor anything that products can look like."""


class WithoutVector(ValueError):
    """A product that others are compared with has no photo that is embedded.

    Attributes:
        product_id: of the product.
    """

    def __init__(self, product_id: int) -> None:
        """Name the product."""
        super().__init__(f"the product {product_id} has no photo that is embedded yet")
        self.product_id = product_id
