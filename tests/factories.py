"""Factories for rows, each with minimal and unique values."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import factory
import numpy as np
from django.core.files.base import ContentFile
from factory.django import DjangoModelFactory
from PIL import Image

from catalog.models import Category, Product, ProductImage
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.stored_vectors import vector_to_bytes


def jpeg(colour: str | tuple[int, int, int] = "teal", size: tuple[int, int] = (32, 24)) -> bytes:
    """A real JPEG file of one colour with black or white spots: a picture of one colour alone counts as a placeholder.

    The spots of each colour are at other places, so that two such pictures are no near-duplicates.
    """
    image = Image.new("RGB", size, colour)
    spot = "black" if sum(image.resize((1, 1)).tobytes()) > 96 else "white"
    width, height = max(1, size[0] // 8), max(1, size[1] // 8)
    for place in hashlib.sha256(repr(colour).encode()).digest()[:5]:
        left, top = (place % 8) * width, (place // 8 % 8) * height
        image.paste(spot, (left, top, left + width, top + height))
    return _saved(image)


def blank_jpeg(colour: str | tuple[int, int, int]) -> bytes:
    """A real JPEG file of one colour."""
    return _saved(Image.new("RGB", (32, 24), colour))


def _saved(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG")
    return file.getvalue()


def numbered_colour(number: int) -> tuple[int, int, int]:
    """A colour per number; the colours differ so much that their JPEG files differ, too."""
    return (number * 53 % 256, number * 97 % 256, number * 181 % 256)


class CategoryFactory(DjangoModelFactory[Category]):
    """A category; `parent=` sets its parent."""

    class Meta:
        model = Category

    name = factory.Sequence(lambda n: f"Category {n}")
    slug = factory.LazyAttribute(lambda it: it.name.lower().replace(" ", "-"))
    parent = None
    path = factory.LazyAttribute(lambda it: f"{it.parent.path}/{it.slug}" if it.parent else it.slug)


class ProductFactory(DjangoModelFactory[Product]):
    """A product that is for sale, without photos."""

    class Meta:
        model = Product

    sku = factory.Sequence(lambda n: f"SKU-{n}")
    title = factory.Sequence(lambda n: f"Product {n}")
    slug = factory.LazyAttribute(lambda it: it.title.lower().replace(" ", "-"))
    category = factory.SubFactory(CategoryFactory)
    brand = "Harbour"
    price = Decimal("10.00")


class ProductImageFactory(DjangoModelFactory[ProductImage]):
    """A stored photo; `content=` sets its bytes."""

    class Meta:
        model = ProductImage

    class Params:
        content = factory.Sequence(lambda n: jpeg(numbered_colour(n)))

    product = factory.SubFactory(ProductFactory)
    position = factory.Sequence(lambda n: n % 1000)
    sha256 = factory.LazyAttribute(lambda it: hashlib.sha256(it.content).hexdigest())
    file = factory.LazyAttribute(lambda it: ContentFile(it.content, name="photo.jpg"))


class CollectionFactory(DjangoModelFactory[Collection]):
    """A collection without an encoder version."""

    class Meta:
        model = Collection
        django_get_or_create = ("slug",)

    slug = factory.Sequence(lambda n: f"collection-{n}")
    name = factory.LazyAttribute(lambda it: it.slug.capitalize())


class EncoderVersionFactory(DjangoModelFactory[EncoderVersion]):
    """A version with short vectors, which a test can write out."""

    class Meta:
        model = EncoderVersion

    collection = factory.SubFactory(CollectionFactory)
    number = factory.LazyAttribute(lambda it: it.collection.versions.count() + 1)
    encoder = "tiny"
    fingerprint = "0" * 64
    dim = 3


def embedding(version: EncoderVersion, image: ProductImage, vector: Sequence[float], **fields: Any) -> ImageEmbedding:
    """An indexed row of a photo with this vector."""
    row, _ = ImageEmbedding.objects.update_or_create(
        version=version, image_id=image.pk, defaults=_values(image, vector, fields)
    )
    return row


def new_embedding(version: EncoderVersion, image: ProductImage, vector: Sequence[float]) -> ImageEmbedding:
    """Such a row, which is not saved yet."""
    return ImageEmbedding(version=version, image_id=image.pk, **_values(image, vector, {}))


def _values(image: ProductImage, vector: Sequence[float], fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": ImageEmbedding.State.INDEXED,
        "content_hash": image.sha256,
        "vector": vector_to_bytes(np.asarray(vector, dtype=np.float32)),
        **fields,
    }
