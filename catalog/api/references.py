"""How a URL names a product: by its id, or by the shop's own SKU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.urls import register_converter
from drf_spectacular.utils import OpenApiParameter

from catalog.api.parameters import validate_product_id
from catalog.errors import ProductNotFound
from catalog.selectors import product_id_of
from product_files.product_data import SKU_LENGTH

PRODUCT_ID = OpenApiParameter("product_id", int, OpenApiParameter.PATH, description="The product's id.")
SKU = OpenApiParameter(
    "sku",
    {"type": "string", "minLength": 1, "maxLength": SKU_LENGTH},
    OpenApiParameter.PATH,
    description="The product's SKU, percent-encoded as a whole: `A%2F1` for `A/1`. A SKU that is `.` or `..`, has one of them"
    " between slashes, or ends in `/similar`, `/similar.html` or `/substitutes` cannot be in a URL: find the product by"
    " `GET /api/products?sku=`.",
)


class SkuConverter:
    """A SKU in a URL. Servers decode `%2F` before they pass a URL on, so that it may have slashes."""

    regex = r"[\s\S]+"

    def to_python(self, value: str) -> str:
        """The SKU: as it is."""
        return value

    def to_url(self, value: str) -> str:
        """The SKU: as it is; `reverse` encodes it."""
        return value


register_converter(SkuConverter, "sku")


@dataclass(frozen=True, slots=True)
class ProductReference:
    """What a URL says about a product: exactly one of the two."""

    product_id: int | None = None
    sku: str = ""

    @contextmanager
    def found(self) -> Iterator[int]:
        """The id of the product, for as long as it is needed.

        Yields:
            The id; whether the product is visible is for the caller to find out.

        Raises:
            ProductNotFound: there is no such product, or the caller found that it is not visible; in the words of the URL.
        """
        if self.product_id is not None:
            yield validate_product_id(self.product_id)
            return
        product_id = product_id_of(self.sku)
        try:
            yield product_id
        except ProductNotFound:
            raise ProductNotFound(sku=self.sku) from None
