"""Products as the API shows them: the JSON, and its serializers for the OpenAPI schema.

A card's members follow from `catalog.cards.COLUMNS`; `image`, `thumbnails` and `url` are addresses, which are made here. The JSON
is made without the serializers: they would take longer than the SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, cast
from urllib.parse import quote

from django.conf import settings
from django.db.models import DecimalField
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.encoding import filepath_to_uri
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from catalog.cards import COLUMNS, CardColumn, ProductCard
from catalog.kept import Kept
from catalog.models import Product, ProductImage
from catalog.selectors import ProductDetail, ProductRecord
from catalog.thumbnails import thumbnail_url
from jobs.process import process
from product_files.values.currencies import decimals
from rest.addresses import absolute
from rest.json_text import json_text

# The thumbnails that fit a card, on a plain screen and on a dense one: the longer side in pixels.
CARD_SIDES = (320, 640)

# What addresses depend on besides what they are of.
_Place = tuple[str, str, str, str | None, str]

_PUBLIC = tuple(column.name for column in COLUMNS if column.public)
_public_values: Callable[[ProductCard], tuple[Any, ...]] = attrgetter(*_PUBLIC)
_PRICES = tuple(column.name for column in COLUMNS if column.public and column.value_type == Decimal | None)


def product_cards(cards: Iterable[ProductCard], base: str) -> list[dict[str, Any]]:
    """The JSON of products in a list.

    Args:
        cards: the products.
        base: from `rest.addresses.base_address`.

    Returns:
        One object for each card, as ProductSerializer describes it.
    """
    return _products(cards, _place(base))


def _products(cards: Iterable[ProductCard], place: _Place) -> list[dict[str, Any]]:
    photo_url, thumbnail_urls, page_url = _addresses(*place)
    products = []
    for card in cards:
        product = _columns(card)
        product["image"] = photo_url(card.image) if card.image else None
        product["thumbnails"] = thumbnail_urls(card.image) if card.image else {}
        product["url"] = page_url(card)
        products.append(product)
    return products


_TextKey = tuple[int, _Place]


class _KeptTexts(Kept[_TextKey, str]):
    """Texts of cards, some 15 MB."""

    most = 20_000


def product_texts(cards: Sequence[ProductCard], base: str, stamp: int | None = None) -> list[str]:
    """The JSON of products in a list, as texts that need no more rendering.

    Args:
        cards: the products.
        base: from `rest.addresses.base_address`.
        stamp: of the catalogue, read before the cards; texts that were made since are used again. None: all are made.

    Returns:
        One text for each card, an object as ProductSerializer describes it.
    """
    place = _place(base)
    by_key: dict[_TextKey, ProductCard] = {(card.id, place): card for card in cards}

    def make(missing: Sequence[_TextKey]) -> dict[_TextKey, str]:
        products = _products([by_key[key] for key in missing], place)
        return {key: json_text(product) for key, product in zip(missing, products, strict=True)}

    texts = process.get(_KeptTexts).get_each(stamp, by_key, make)
    return [texts[card.id, place] for card in cards]


def product_detail(detail: ProductDetail, base: str) -> dict[str, Any]:
    """The JSON of one product.

    Args:
        detail: the product.
        base: from `rest.addresses.base_address`.

    Returns:
        An object as ProductDetailSerializer describes it.
    """
    photo_url = _photo_url(base)
    return {
        **product_cards([detail.card], base)[0],
        "description": detail.description,
        "tags": list(detail.tags),
        "attributes": detail.attributes,
        "images": [
            {
                "id": image.pk,
                "url": photo_url(str(image.file)),
                "width": image.width,
                "height": image.height,
                "alt": image.alt,
                "role": image.role,
            }
            for image in detail.images
        ],
    }


def product_record(record: ProductRecord, base: str) -> dict[str, Any]:
    """The JSON of a product for who maintains it.

    Args:
        record: the product.
        base: from `rest.addresses.base_address`.

    Returns:
        An object as ProductRecordSerializer describes it.
    """
    return {**product_detail(record.detail, base), "active": record.active, "family": record.family}


def _columns(card: ProductCard) -> dict[str, Any]:
    members = dict(zip(_PUBLIC, _public_values(card), strict=True))
    for name in _PRICES:
        if (price := members[name]) is not None:
            members[name] = f"{price:.{decimals(card.currency)}f}"
    return members


def _place(base: str) -> _Place:
    return base, settings.PRODUCT_URL, settings.MEDIA_URL, get_urlconf(), get_script_prefix()


@lru_cache(maxsize=32)
def _addresses(
    base: str, *_: str | None
) -> tuple[Callable[[str], str], Callable[[str], dict[str, str]], Callable[[ProductCard], str]]:
    """The functions for the addresses of a card, by `_place`: making them takes as long as using them for ten cards."""
    return _photo_url(base), _thumbnail_urls(base), _page_url(base)


def _page_url(base: str) -> Callable[[ProductCard], str]:
    """A function for the URL of a product's page: of the shop that PRODUCT_URL names, else of the storefront."""
    if template := absolute(base, settings.PRODUCT_URL):
        return lambda card: (
            template.replace("{id}", str(card.id))
            .replace("{slug}", quote(card.slug, safe=""))
            .replace("{sku}", quote(card.sku, safe=""))
        )
    start, middle, end = _storefront_url(get_urlconf(), get_script_prefix())
    start = absolute(base, start)
    return lambda card: f"{start}{card.id}{middle}{card.slug}{end}"


@cache
def _storefront_url(urlconf: str | None, _script_prefix: str) -> tuple[str, str, str]:
    """What surrounds id and slug in the storefront's URLs: reversing each of them costs more than the SQL."""
    ids = {"pk": 1234567890, "slug": "the-slug"}
    try:
        url = reverse("storefront:product", kwargs=ids, urlconf=urlconf)
    except NoReverseMatch:
        # Served by another process (SERVICE), behind the same proxy.
        url = reverse("product", kwargs=ids, urlconf="storefront.urls")
    start, _, rest = url.partition("1234567890")
    middle, _, end = rest.partition("the-slug")
    return start, middle, end


def _photo_url(base: str) -> Callable[[str], str]:
    """A function for the URL of a stored photo."""
    # The same as `default_storage.url` for the names that photos have, at a tenth of the cost.
    start = absolute(base, settings.MEDIA_URL)
    return lambda name: start + filepath_to_uri(name)


def _thumbnail_urls(base: str) -> Callable[[str], dict[str, str]]:
    """A function for the URLs of a photo's thumbnails, by side; what surrounds the photo's name is the same for all photos."""
    around = {str(side): absolute(base, thumbnail_url("|", side)).split("|") for side in CARD_SIDES}
    return lambda name: {side: f"{start}{name}{end}" for side, (start, end) in around.items()}


@extend_schema_serializer(component_name="ProductSchema")
class ProductSerializer(serializers.Serializer[Any]):
    """A product in a list."""

    image = serializers.CharField(allow_null=True, help_text="Absolute URL of its first photo.")
    thumbnails = serializers.DictField(
        child=serializers.CharField(),
        help_text="Absolute URLs of small versions of that photo, by their longer side in pixels; {} without a photo.",
    )
    url = serializers.CharField(help_text="Absolute URL of its page.")

    def get_fields(self) -> dict[str, Any]:
        """The columns of a card, then the addresses."""
        return {**{name: _field(column) for name, column in _BY_NAME.items()}, **super().get_fields()}


@extend_schema_serializer(component_name="ImageSchema")
class ImageSerializer(serializers.Serializer[Any]):
    """A photo of a product."""

    id = serializers.IntegerField()
    url = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    alt = serializers.CharField()
    role = serializers.ChoiceField(
        ProductImage.Role.choices, help_text="Photos of the roles `product` and `detail` are compared with others."
    )


@extend_schema_serializer(component_name="ProductDetailSchema")
class ProductDetailSerializer(ProductSerializer):
    """A product with its description, tags, attributes and all its photos."""

    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    images = ImageSerializer(many=True)


@extend_schema_serializer(component_name="ProductRecordSchema")
class ProductRecordSerializer(ProductDetailSerializer):
    """A product for who maintains it."""

    active = serializers.BooleanField(help_text="Whether it is shown.")
    family = serializers.CharField(help_text='Code of the family of its variants, "" for none.')


@extend_schema_serializer(component_name="ProductPageSchema")
class ProductPageSerializer(serializers.Serializer[Any]):
    """A page of products."""

    count = serializers.IntegerField(
        allow_null=True, help_text="Number of products on all pages; null for pages by cursor."
    )
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ProductSerializer(many=True)


_BY_NAME = {column.name: column for column in COLUMNS if column.public}


def _field(column: CardColumn) -> Any:
    help_text = column.help or None
    if column.value_type != Decimal | None:
        return _FIELDS[column.value_type](help_text=help_text)
    field = cast("DecimalField[Any, Any]", Product._meta.get_field(column.name))
    return serializers.DecimalField(field.max_digits, field.decimal_places, allow_null=True, help_text=help_text)


class _ListOfTexts(serializers.ListField):
    child = serializers.CharField()


_FIELDS: dict[Any, Callable[..., serializers.Field[Any, Any, Any, Any]]] = {
    int: serializers.IntegerField,
    str: serializers.CharField,
    bool: serializers.BooleanField,
    tuple[str, ...]: _ListOfTexts,
}
