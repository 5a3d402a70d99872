"""Reads of the catalogue as the API shows it: a page of products, and one product with everything a shop said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from catalog.models import Product, ProductImage
from catalog.selectors import ProductCard, images_of, product_cards, products_matching
from recommender.errors import PageNotFound, ProductNotFound
from recommender.filtering import EVERYTHING, ProductFilter
from recommender.selectors import cards_of


@dataclass(frozen=True, slots=True)
class ProductListQuery:
    """Which page (from 1) of which products, newest first. text: in title or brand, or the very sku."""

    filter: ProductFilter = EVERYTHING
    text: str | None = None
    page: int = 1
    page_size: int = 24


@dataclass(frozen=True, slots=True)
class ProductPage:
    """One page of products. count: of all pages."""

    count: int
    products: Sequence[ProductCard]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """All that is shown of one product. images: in display order."""

    card: ProductCard
    description: str
    tags: Sequence[str]
    attributes: dict[str, Any]
    images: Sequence[ProductImage]


def product_page(query: ProductListQuery) -> ProductPage:
    """One page of the visible products that meet the query. Raises PageNotFound; the first page may be empty."""
    wanted = query.filter
    products = products_matching(
        category=wanted.category,
        brand=wanted.brand,
        min_price=wanted.min_price,
        max_price=wanted.max_price,
        available=wanted.available,
        text=query.text,
    )
    count = products.count()
    start, end = (query.page - 1) * query.page_size, query.page * query.page_size
    if start >= count and query.page > 1:
        raise PageNotFound(f"there is no page {query.page}: {count} products make {-(-count // query.page_size)} pages")
    return ProductPage(count, product_cards(products.order_by("-id")[start:end]), end < count, query.page > 1)


def product_detail(product_id: int) -> ProductDetail:
    """One visible product. Raises ProductNotFound."""
    card = cards_of([product_id]).get(product_id)
    described = Product.objects.filter(pk=product_id).only("description", "tags", "attributes").first()
    if card is None or described is None:
        raise ProductNotFound(product_id)
    return ProductDetail(
        card, described.description, described.tags, described.attributes, list(images_of([product_id]))
    )
