"""Reads of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from catalog.models import Category, Product, ProductImage


@dataclass(frozen=True, slots=True)
class ProductCard:
    """What a list of products shows. category: slug path or "". image: path in the media storage, "" without a photo."""

    id: int
    sku: str
    slug: str
    title: str
    category: str
    brand: str
    price: Decimal | None
    currency: str
    available: bool
    image: str


_CARD_FIELDS = ("id", "sku", "slug", "title", "category__path", "brand", "price", "currency", "available")


def visible_products() -> QuerySet[Product]:
    """Every product that may be shown."""
    return Product.objects.filter(active=True)


def products_matching(
    *,
    category: str | None = None,
    brand: str | None = None,
    min_price: Decimal | None = None,
    max_price: Decimal | None = None,
    available: bool | None = None,
    text: str | None = None,
) -> QuerySet[Product]:
    """Visible products that meet every condition given. `category`: slug path, its subtree included."""
    products = visible_products()
    if category:
        products = products.filter(Q(category__path=category) | Q(category__path__startswith=f"{category}/"))
    if brand:
        products = products.filter(brand=brand)
    if min_price is not None:
        products = products.filter(price__gte=min_price)
    if max_price is not None:
        products = products.filter(price__lte=max_price)
    if available is not None:
        products = products.filter(available=available)
    if text:
        products = products.filter(Q(title__icontains=text) | Q(sku__iexact=text) | Q(brand__icontains=text))
    return products


def product_cards(products: QuerySet[Product]) -> list[ProductCard]:
    """The cards of these products, in their order, in one query."""
    first_image = ProductImage.objects.filter(product=OuterRef("pk")).order_by("position", "id").values("file")[:1]
    rows = products.annotate(first_image=Subquery(first_image)).values_list(*_CARD_FIELDS, "first_image")
    return [
        ProductCard(id_, sku, slug, title, path or "", brand, price, currency, available, image or "")
        for id_, sku, slug, title, path, brand, price, currency, available, image in rows
    ]


def visible_product(product_id: int) -> Product | None:
    """One product with its category, if it may be shown."""
    return visible_products().select_related("category").filter(pk=product_id).first()


def categories_with_products() -> QuerySet[Category]:
    """Categories that have a visible product of their own."""
    own_products = visible_products().filter(category=OuterRef("pk"))
    return Category.objects.filter(Exists(own_products)).order_by("path")


def browsable_categories() -> dict[str, Category]:
    """Categories with a visible product in them or anywhere below, by path, in the order of paths."""
    paths = {ancestor for category in categories_with_products() for ancestor in category.lineage}
    return {category.path: category for category in Category.objects.filter(path__in=paths).order_by("path")}


def images_of(product_ids: Iterable[int]) -> QuerySet[ProductImage]:
    """The photos of these products, in display order."""
    return ProductImage.objects.filter(product_id__in=list(product_ids)).order_by("product_id", "position", "id")
