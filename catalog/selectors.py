"""Reads of the catalogue."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet

from catalog.cards import ProductCard, product_cards, visible_cards
from catalog.errors import PageNotFound, ProductNotFound
from catalog.filters import ProductFilter
from catalog.models import Category, Product, ProductImage, ProductQuerySet
from product_files.product_data import DEFAULT_CURRENCY, SKU_LENGTH
from rest.cursors import Cursor, window
from rest.json_text import UNSTORABLE

PAGE_SIZE = 24

_IDS_A_QUERY = 5000
# Hand-written, because every recommendation by SKU needs it.
_ID_OF_SKU = f"SELECT id FROM {Product._meta.db_table} WHERE sku = %s"  # noqa: S608  # the name of a table


def visible_products() -> ProductQuerySet:
    """Every product that may be shown."""
    return Product.objects.visible()


def visible_product(product_id: int) -> Product | None:
    """One product with its category, if it may be shown."""
    return visible_products().select_related("category").filter(pk=product_id).first()


def withdrawn_product(product_id: int, slug: str) -> Product | None:
    """One product with its category that may not be shown any more, by the whole of its address.

    Args:
        product_id: any id.
        slug: of its page, so that nobody finds products by counting.

    Returns:
        The product; None if there is none, or it may be shown.
    """
    return Product.objects.filter(active=False, pk=product_id, slug=slug).select_related("category").first()


@dataclass(frozen=True, slots=True)
class ProductListQuery:
    """Which products of the catalogue, newest first.

    Attributes:
        filter: conditions that every product has to meet.
        text: as in ProductQuerySet.containing.
        sku: the product with exactly this SKU; None for any.
        page: from 1; with a cursor always 1.
        page_size: products per page.
        by_cursor: whether pages are found by cursor; products are then not counted.
        cursor: the page; None for the first one. Its position is the id of a product.
    """

    filter: ProductFilter
    text: str | None = None
    sku: str | None = None
    page: int = 1
    page_size: int = PAGE_SIZE
    by_cursor: bool = False
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class ProductPage:
    """One page of products.

    Attributes:
        count: number of products on all pages; None for pages by cursor.
        cards: of the products on this page.
        has_next: whether there is a page after this one.
        has_previous: whether there is a page before this one.
    """

    count: int | None
    cards: Sequence[ProductCard]
    has_next: bool
    has_previous: bool


@dataclass(frozen=True, slots=True)
class ProductDetail:
    """A product with everything that is shown of it. images: in display order."""

    card: ProductCard
    description: str
    tags: Sequence[str]
    attributes: dict[str, Any]
    images: Sequence[ProductImage]


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product as who maintains it sees it. family: code, "" for none."""

    detail: ProductDetail
    active: bool
    family: str


def product_page(query: ProductListQuery) -> ProductPage:
    """Read one page of the visible products.

    Args:
        query: which products, and which page of them.

    Returns:
        The page; the first one may be empty.

    Raises:
        PageNotFound: the list has fewer pages.
    """
    products = visible_products().matching(query.filter).containing(query.text)
    if query.sku is not None:
        products = products.filter(sku=query.sku)
    if query.by_cursor:
        return _page_by_cursor(products, query)
    count = products.count()
    start, end = (query.page - 1) * query.page_size, query.page * query.page_size
    if start >= count and query.page > 1:
        raise PageNotFound(query.page, count=count, page_size=query.page_size)
    return ProductPage(count, product_cards(products.order_by("-id")[start:end]), end < count, query.page > 1)


def _page_by_cursor(products: ProductQuerySet, query: ProductListQuery) -> ProductPage:
    if query.cursor is not None:
        product_id = int(query.cursor.position[0])
        products = products.filter(pk__gt=product_id) if query.cursor.backwards else products.filter(pk__lt=product_id)
    order = "id" if query.cursor is not None and query.cursor.backwards else "-id"
    page = window(product_cards(products.order_by(order)[: query.page_size + 1]), query.page_size, query.cursor)
    return ProductPage(None, page.rows, page.has_next, page.has_previous)


def product_id_of(sku: str) -> int:
    """Look up the id of a product, visible or not.

    Args:
        sku: any text.

    Returns:
        The id of the product that has exactly this SKU.

    Raises:
        ProductNotFound: there is none.
    """
    if _may_be_sku(sku):
        with connection.cursor() as cursor:
            cursor.execute(_ID_OF_SKU, [sku])
            if row := cursor.fetchone():
                return int(row[0])
    raise ProductNotFound(sku=sku)


def ids_of_skus(skus: Collection[str]) -> dict[str, int]:
    """Look up the ids of products, visible or not, in one query.

    Args:
        skus: any texts.

    Returns:
        Ids by SKU, of those that there are.
    """
    asked = [sku for sku in skus if _may_be_sku(sku)]
    return dict(Product.objects.filter(sku__in=asked).order_by().values_list("sku", "pk")) if asked else {}


def existing_ids(product_ids: Collection[int]) -> set[int]:
    """Those of some ids that a product has, visible or not.

    Args:
        product_ids: 1 to MAX_PRODUCT_ID each.

    Returns:
        The ids of products.
    """
    asked = [*product_ids]
    found: set[int] = set()
    for start in range(0, len(asked), _IDS_A_QUERY):
        some = asked[start : start + _IDS_A_QUERY]
        found.update(Product.objects.filter(pk__in=some).order_by().values_list("pk", flat=True))
    return found


def _may_be_sku(text: str) -> bool:
    """Whether a database could have it; it would refuse the text, or read the table in vain."""
    return len(text) <= SKU_LENGTH and not UNSTORABLE.search(text)


def product_detail(product_id: int) -> ProductDetail:
    """Read one visible product with its description and all its photos.

    Args:
        product_id: any id.

    Returns:
        The product.

    Raises:
        ProductNotFound: there is no such product, or it is not visible.
    """
    card = visible_cards([product_id]).get(product_id)
    described = Product.objects.filter(pk=product_id).only("description", "tags", "attributes").first()
    if card is None or described is None:
        raise ProductNotFound(product_id)
    images = list(images_of([product_id]))
    return ProductDetail(card, described.description, described.tags, described.attributes, images)


def product_record(product_id: int) -> ProductRecord:
    """Read one product, visible or not.

    Args:
        product_id: any id.

    Returns:
        The product.

    Raises:
        ProductNotFound: there is no such product.
    """
    product = Product.objects.filter(pk=product_id).first()
    cards = product_cards(Product.objects.filter(pk=product_id))
    if product is None or not cards:
        raise ProductNotFound(product_id)
    images = list(images_of([product_id]))
    detail = ProductDetail(cards[0], product.description, product.tags, product.attributes, images)
    return ProductRecord(detail, product.active, product.family_code)


def stored_product(product_id: int) -> Product:
    """Read a product with its category, visible or not; of one that was merged into another, that one.

    Args:
        product_id: any id.

    Returns:
        The product.

    Raises:
        ProductNotFound: there is no such product; one that was deleted leaves nothing behind.
    """
    products = Product.objects.select_related("category", "merged_into__category")
    product = products.filter(pk=product_id).first()
    if product is None:
        raise ProductNotFound(product_id)
    return product.merged_into or product


def merge_target(product_id: int) -> Product | None:
    """The product that this one was merged into, with its category, if it may be shown."""
    return visible_products().select_related("category").filter(merged__pk=product_id).first()


def merged_skus() -> set[str]:
    """The SKUs of products that were merged into others; imports ignore them."""
    return set(Product.objects.filter(merged_into__isnull=False).values_list("sku", flat=True))


def categories_with_products() -> QuerySet[Category]:
    """Categories that have a visible product of their own."""
    own_products = visible_products().filter(category=OuterRef("pk"))
    return Category.objects.filter(Exists(own_products)).order_by("path")


def non_empty_categories() -> dict[str, Category]:
    """Categories with a visible product in them or anywhere below, by path, in the order of paths."""
    paths = {ancestor for category in categories_with_products() for ancestor in category.lineage}
    return {category.path: category for category in Category.objects.filter(path__in=paths).order_by("path")}


@dataclass(frozen=True, slots=True)
class CategorySummary:
    """The visible products directly in a category.

    Attributes:
        product_count: without those of subcategories.
        newest_product_id: the highest id.
    """

    product_count: int
    newest_product_id: int


def category_summaries() -> dict[str, CategorySummary]:
    """Summaries of the categories with visible products of their own, by slug path."""
    rows = visible_products().exclude(category=None).order_by().values_list("category__path")
    return {path: CategorySummary(count, newest) for path, count, newest in rows.annotate(Count("pk"), Max("pk"))}


@dataclass(frozen=True, slots=True)
class BrandFacet:
    """A brand, and the number of its products that meet the other conditions."""

    brand: str
    products: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What products can be filtered by; each figure counts under all conditions but its own.

    Attributes:
        brands: those with products, and those that are chosen.
        lowest: price in the currency, None where no product has one.
        highest: price in the currency, None where no product has one.
        available: number of products in stock.
        currency: of the prices: the filter's, or the shop's.
    """

    brands: tuple[BrandFacet, ...]
    lowest: Decimal | None
    highest: Decimal | None
    available: int
    currency: str


def facets(product_filter: ProductFilter, text: str | None = None, among: Collection[int] | None = None) -> Facets:
    """How the products that meet a filter can be filtered further, in one query.

    Args:
        product_filter: the conditions so far.
        text: as in ProductQuerySet.containing.
        among: ids of the products that count, in place of a text; None: all.

    Returns:
        Figures of the products that are left; brands in alphabetical order.
    """
    chosen = product_filter.brands
    in_stock = ProductFilter(available=product_filter.available).q()
    currency = product_filter.currency or shop_currency()
    has_range = product_filter.min_price is not None or product_filter.max_price is not None
    prices = ProductFilter(min_price=product_filter.min_price, max_price=product_filter.max_price, currency=currency)
    in_range = prices.q() if has_range else Q()
    others = replace(product_filter, brands=(), available=None, min_price=None, max_price=None, currency=None)
    rows = (
        found_by(visible_products().matching(others), text, among)
        .order_by("brand")
        .values("brand")
        .annotate(
            matching=Count("pk", filter=in_stock & in_range),
            in_stock=Count("pk", filter=Q(available=True) & in_range),
            lowest=Min("price", filter=in_stock & Q(currency=currency)),
            highest=Max("price", filter=in_stock & Q(currency=currency)),
        )
    )
    all_brands = list(rows)
    of_chosen = [row for row in all_brands if not chosen or row["brand"] in chosen]
    ends = [row[end] for row in of_chosen for end in ("lowest", "highest") if row[end] is not None]
    return Facets(
        brands=tuple(
            BrandFacet(row["brand"], row["matching"])
            for row in all_brands
            if row["brand"] and (row["matching"] or row["brand"] in chosen)
        ),
        lowest=min(ends, default=None),
        highest=max(ends, default=None),
        available=sum(row["in_stock"] for row in of_chosen),
        currency=currency,
    )


def found_by(products: ProductQuerySet, text: str | None, among: Collection[int] | None) -> ProductQuerySet:
    """The products that a text finds.

    Args:
        products: to choose from.
        text: as in ProductQuerySet.containing.
        among: ids that a search by words has found for the text; None where there was none.

    Returns:
        Those of the products.
    """
    return products.containing(text) if among is None else products.filter(pk__in=among)


def ids_not_matching(product_ids: Collection[int], product_filter: ProductFilter) -> set[int]:
    """Those of these products that do not meet a filter."""
    matching = Product.objects.filter(pk__in=product_ids).matching(product_filter)
    return {*product_ids} - {*matching.values_list("pk", flat=True)}


# Seconds for which the currency of most products is remembered.
_CURRENCY_TTL_S = 60
_CURRENCY_KEY = "catalog:currency"


def shop_currency() -> str:
    """The currency of prices that are named without one: the setting SHOP_CURRENCY, otherwise that of most visible products.

    Returns:
        ISO 4217 code.
    """
    if settings.SHOP_CURRENCY:
        return str(settings.SHOP_CURRENCY)
    cache = caches["process"]
    known: str | None = cache.get(_CURRENCY_KEY)
    if known is None:
        by_number = visible_products().order_by().values("currency").annotate(number=Count("pk"))
        most = by_number.order_by("-number", "currency").first()
        known = DEFAULT_CURRENCY if most is None else str(most["currency"])
        cache.set(_CURRENCY_KEY, known, _CURRENCY_TTL_S)
    return known


def in_shop_currency(product_filter: ProductFilter) -> ProductFilter:
    """A filter whose prices are in the shop's currency, if it has prices and names no currency."""
    has_price = product_filter.min_price is not None or product_filter.max_price is not None
    if not has_price or product_filter.currency:
        return product_filter
    return replace(product_filter, currency=shop_currency())


def images_of(product_ids: Iterable[int]) -> QuerySet[ProductImage]:
    """The photos of these products, in display order."""
    return ProductImage.objects.filter(product_id__in=list(product_ids)).order_by("product_id", "position", "id")
