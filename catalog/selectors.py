"""Reads of the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet, Subquery

from catalog.models import Category, Product, ProductImage


@dataclass(frozen=True, slots=True)
class ProductCard:
    """What a list of products shows. category: slug path or "". image: path in the media storage, "" without a photo.

    family: id of the main product where this one is a variant, else its own.
    """

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
    family: int


_CARD_FIELDS = ("id", "sku", "slug", "title", "category__path", "brand", "price", "currency", "available")


def visible_products() -> QuerySet[Product]:
    """Every product that may be shown."""
    return Product.objects.filter(active=True)


def products_matching(
    *,
    category: str | None = None,
    brand: str | None = None,
    brands: Collection[str] = (),
    min_price: Decimal | None = None,
    max_price: Decimal | None = None,
    available: bool | None = None,
    text: str | None = None,
) -> QuerySet[Product]:
    """Visible products that meet every condition given. category: slug path, its subtree included. brands: any of them."""
    products = visible_products()
    if category:
        products = products.filter(Q(category__path=category) | Q(category__path__startswith=f"{category}/"))
    if brand:
        products = products.filter(brand=brand)
    if brands:
        products = products.filter(brand__in=brands)
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
    rows = products.annotate(first_image=Subquery(first_image)).values_list(*_CARD_FIELDS, "first_image", "variant_of")
    return [
        ProductCard(id_, sku, slug, title, path or "", brand, price, currency, available, image or "", main or id_)
        for id_, sku, slug, title, path, brand, price, currency, available, image, main in rows
    ]


def visible_product(product_id: int) -> Product | None:
    """One product with its category, if it may be shown."""
    return visible_products().select_related("category").filter(pk=product_id).first()


def kept_instead_of(product_id: int) -> Product | None:
    """The product that this one was merged into, with its category, if it may be shown."""
    return visible_products().select_related("category").filter(merged__pk=product_id).first()


def merged_skus() -> set[str]:
    """The skus of products that were merged into others: what a source says of them is passed over."""
    return set(Product.objects.filter(merged_into__isnull=False).values_list("sku", flat=True))


def categories_with_products() -> QuerySet[Category]:
    """Categories that have a visible product of their own."""
    own_products = visible_products().filter(category=OuterRef("pk"))
    return Category.objects.filter(Exists(own_products)).order_by("path")


def browsable_categories() -> dict[str, Category]:
    """Categories with a visible product in them or anywhere below, by path, in the order of paths."""
    paths = {ancestor for category in categories_with_products() for ancestor in category.lineage}
    return {category.path: category for category in Category.objects.filter(path__in=paths).order_by("path")}


@dataclass(frozen=True, slots=True)
class Shelf:
    """What lies directly in a category: how many visible products, and the id of the newest."""

    products: int
    newest: int


def shelves() -> dict[str, Shelf]:
    """The shelf of each category with visible products of its own, by the category's path."""
    rows = visible_products().exclude(category=None).order_by().values_list("category__path")
    return {path: Shelf(count, newest) for path, count, newest in rows.annotate(Count("pk"), Max("pk"))}


@dataclass(frozen=True, slots=True)
class BrandFacet:
    """A brand, and how many products of it the other conditions leave."""

    brand: str
    products: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What products can be narrowed by; each figure counts under all conditions but its own.

    lowest, highest: prices, None where no product has one. available: products in stock. currency: "" where there are several.
    """

    brands: tuple[BrandFacet, ...]
    lowest: Decimal | None
    highest: Decimal | None
    available: int
    currency: str


def facets(
    *,
    category: str | None = None,
    text: str | None = None,
    brands: Collection[str] = (),
    min_price: Decimal | None = None,
    max_price: Decimal | None = None,
    available: bool | None = None,
) -> Facets:
    """How the products of a category, or those that a text finds, can be narrowed further, in one query."""
    in_stock = Q() if available is None else Q(available=available)
    in_range = Q()
    if min_price is not None:
        in_range &= Q(price__gte=min_price)
    if max_price is not None:
        in_range &= Q(price__lte=max_price)
    rows = (
        products_matching(category=category, text=text)
        .order_by("brand")
        .values("brand")
        .annotate(
            found=Count("pk", filter=in_stock & in_range),
            in_stock=Count("pk", filter=Q(available=True) & in_range),
            lowest=Min("price", filter=in_stock),
            highest=Max("price", filter=in_stock),
            first_currency=Min("currency"),
            last_currency=Max("currency"),
        )
    )
    all_brands = list(rows)
    wanted = [row for row in all_brands if not brands or row["brand"] in brands]
    prices = [row[end] for row in wanted for end in ("lowest", "highest") if row[end] is not None]
    currencies = {row[end] for row in all_brands for end in ("first_currency", "last_currency")}
    return Facets(
        brands=tuple(
            BrandFacet(row["brand"], row["found"])
            for row in all_brands
            if row["brand"] and (row["found"] or row["brand"] in brands)
        ),
        lowest=min(prices, default=None),
        highest=max(prices, default=None),
        available=sum(row["in_stock"] for row in wanted),
        currency=currencies.pop() if len(currencies) == 1 else "",
    )


def images_of(product_ids: Iterable[int]) -> QuerySet[ProductImage]:
    """The photos of these products, in display order."""
    return ProductImage.objects.filter(product_id__in=list(product_ids)).order_by("product_id", "position", "id")
