"""The shapes of the API's answers: how they are made, and how the schema declares them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.core.files.storage import FileSystemStorage, storages
from django.urls import NoReverseMatch, get_script_prefix, get_urlconf, reverse
from django.utils.encoding import filepath_to_uri
from rest_framework import serializers

from catalog.selectors import ProductCard
from catalog.thumbnails import thumbnail_url
from embeddings.models import Job
from recommender.pipeline import Recommendations
from recommender.products import ProductDetail

# Scores are float32; more digits are noise.
_SCORE_DIGITS = 6
_CONFIDENCE_DIGITS = 4
# Of the small versions of a photo those that fit a card, on a plain screen and on a dense one.
_CARD_SIDES = (320, 640)


def product_cards(cards: Iterable[ProductCard]) -> list[dict[str, Any]]:
    """Products in a list."""
    photo, thumbnails, page = _photo_address(), _thumbnail_addresses(), _page_address()
    return [
        {
            "id": card.id,
            "sku": card.sku,
            "title": card.title,
            "category": card.category,
            "brand": card.brand,
            "price": None if card.price is None else f"{card.price:.2f}",
            "currency": card.currency,
            "available": card.available,
            "image": photo(card.image) if card.image else None,
            "thumbnails": thumbnails(card.image) if card.image else {},
            "url": page(card),
        }
        for card in cards
    ]


def product_detail(detail: ProductDetail) -> dict[str, Any]:
    """One product by itself."""
    return {
        **product_cards([detail.card])[0],
        "description": detail.description,
        "tags": list(detail.tags),
        "attributes": detail.attributes,
        "images": [
            {"url": image.file.url, "width": image.width, "height": image.height, "alt": image.alt}
            for image in detail.images
        ],
    }


def recommendations(answer: Recommendations, *, product_id: int | None = None) -> dict[str, Any]:
    """The answer of `similar` (with the product) and of a search (without)."""
    body: dict[str, Any] = {} if product_id is None else {"product": product_id}
    cards = product_cards(each.product for each in answer.results)
    scores = [None if each.score is None else round(each.score, _SCORE_DIGITS) for each in answer.results]
    body["collection"] = answer.collection
    body["encoder"] = answer.encoder
    sure = [None if each.confidence is None else round(each.confidence, _CONFIDENCE_DIGITS) for each in answer.results]
    body["results"] = [
        {"product": card, "score": score, "confidence": confidence}
        for card, score, confidence in zip(cards, scores, sure, strict=True)
    ]
    if product_id is not None:
        body["fallback"] = answer.fallback
    return body


def job(row: Job) -> dict[str, Any]:
    """Where long work stands."""
    succeeded = row.state == Job.State.SUCCEEDED
    told = min(row.done / row.total, 1.0) if row.total else None
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "collection": row.collection.slug if row.collection else None,
        "state": row.state,
        "stage": row.stage,
        "progress": 1.0 if succeeded else told,
        "done": row.done,
        "total": row.total,
        "result": row.result,
        "error": row.error or None,
        "created_at": row.created_at,
        "started_at": row.started_at,
        "finished_at": row.finished_at,
    }


def _page_address() -> Callable[[ProductCard], str | None]:
    """Gives a product's page: of the shop that PRODUCT_URL names, else of the storefront; None where there is neither."""
    if template := settings.PRODUCT_URL:
        return lambda card: (
            template.replace("{id}", str(card.id))
            .replace("{slug}", quote(card.slug, safe=""))
            .replace("{sku}", quote(card.sku, safe=""))
        )
    storefront = _storefront_address(get_urlconf(), get_script_prefix())
    if storefront is None:
        return lambda _: None
    start, middle, end = storefront
    return lambda card: f"{start}{card.id}{middle}{card.slug}{end}"


@cache
def _storefront_address(urlconf: str | None, _script_prefix: str) -> tuple[str, str, str] | None:
    """What stands around id and slug in the storefront's addresses: reversing each of them costs more than the SQL."""
    try:
        address = reverse("storefront:product", kwargs={"pk": 1234567890, "slug": "the-slug"}, urlconf=urlconf)
    except NoReverseMatch:
        return None
    start, _, rest = address.partition("1234567890")
    middle, _, end = rest.partition("the-slug")
    return start, middle, end


def _photo_address() -> Callable[[str], str]:
    """Gives the address of a stored photo."""
    storage = storages["default"]
    if type(storage) is FileSystemStorage and storage.base_url is not None:
        # What `storage.url` comes to for the names that photos have, at a tenth of the cost.
        base = storage.base_url
        return lambda name: base + filepath_to_uri(name)
    return storage.url


def _thumbnail_addresses() -> Callable[[str], dict[str, str]]:
    """Gives the addresses of a photo's thumbnails, by side; what stands around its name is the same for all."""
    around = {str(side): thumbnail_url("|", side).split("|") for side in _CARD_SIDES}
    return lambda name: {side: f"{start}{name}{end}" for side, (start, end) in around.items()}


class ProductSchema(serializers.Serializer[Any]):
    """A product in a list."""

    id = serializers.IntegerField()
    sku = serializers.CharField()
    title = serializers.CharField()
    category = serializers.CharField(help_text='Slug path of its category, "" without one.')
    brand = serializers.CharField()
    price = serializers.DecimalField(max_digits=12, decimal_places=2, allow_null=True)
    currency = serializers.CharField(help_text="ISO 4217.")
    available = serializers.BooleanField()
    image = serializers.CharField(allow_null=True, help_text="Address of its first photo, absolute or from the root.")
    thumbnails = serializers.DictField(
        child=serializers.CharField(),
        help_text="Addresses of small versions of that photo, by their longer side in pixels; {} without a photo.",
    )
    url = serializers.CharField(allow_null=True, help_text="Address of its page, absolute or from the root.")


class ImageSchema(serializers.Serializer[Any]):
    """A photo of a product."""

    url = serializers.CharField()
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    alt = serializers.CharField()


class ProductDetailSchema(ProductSchema):
    """A product with everything that its shop says of it."""

    description = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    attributes = serializers.DictField()
    images = ImageSchema(many=True)


class ProductPageSchema(serializers.Serializer[Any]):
    """A page of products."""

    count = serializers.IntegerField(help_text="Products on all pages.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = ProductSchema(many=True)


class RecommendationSchema(serializers.Serializer[Any]):
    """A recommended product."""

    product = ProductSchema()
    score = serializers.FloatField(
        allow_null=True,
        help_text="Higher is nearer for cosine and dot product, lower is nearer for l1 and l2; null in a fall-back.",
    )
    confidence = serializers.FloatField(
        allow_null=True,
        help_text="Probability, 0 to 1, that it is of the same kind of product, as measured on photos kept aside when the encoder "
        "was trained; null where nobody has measured it.",
    )


class SearchAnswerSchema(serializers.Serializer[Any]):
    """Products that look like a photo, best first."""

    collection = serializers.CharField()
    encoder = serializers.CharField(help_text="The encoder version that compared, e.g. all-v1.")
    results = RecommendationSchema(many=True)


class SimilarAnswerSchema(SearchAnswerSchema):
    """Products that look like a product, best first."""

    product = serializers.IntegerField(help_text="The product that was asked for.")
    fallback = serializers.BooleanField(
        help_text="true: the product has no vector yet (its photos are new, or it has none). The results are then the "
        "newest products of its category, next of the categories above it, next of any; without scores."
    )


class JobSchema(serializers.Serializer[Any]):
    """Long work: where it stands, and what came of it."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="train, activate or import.")
    collection = serializers.CharField(
        allow_null=True, help_text="null for an import, which is of the whole catalogue."
    )
    state = serializers.CharField(help_text="queued, running, succeeded, failed or cancelled.")
    stage = serializers.CharField(help_text='What is being done, "" before anything is.')
    progress = serializers.FloatField(
        allow_null=True, min_value=0, max_value=1, help_text="Of this stage; null where nobody knows."
    )
    done = serializers.IntegerField(help_text="Steps of this stage that are done.")
    total = serializers.IntegerField(help_text="Steps of this stage; 0 where nobody knows.")
    result = serializers.DictField(
        allow_null=True,
        help_text="Once it has succeeded. Of a training or activation: the encoder version and its figures. Of an import: how "
        "many rows were `created`, `updated`, `unchanged` and `rejected`, what became of the photos, the first `problems`, and "
        "with `rejected_file` whether `/api/jobs/<id>/rejected` has them all.",
    )
    error = serializers.CharField(allow_null=True, help_text="Once it has failed: why, and what to do.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)
