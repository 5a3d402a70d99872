"""A small shop whose photos have vectors that a test writes down, in an exact index, beside an encoder of mean colours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from django.test import Client
from numpy.typing import NDArray
from PIL import Image

from catalog.models import Category, Product, ProductImage
from embeddings.backends import Backends, get_vector_index
from embeddings.indexing import points_of
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.selectors import clear_live_collection_cache
from embeddings.vector_index.base import Distance
from recommender.rules.book import forget_rules
from tests.factories import ProductFactory, ProductImageFactory, embedding, new_embedding


class MeanColourEncoder:
    """Deterministic, and easy to reason about: a photo's vector is its mean colour."""

    dim = 3
    input_size = 8
    fingerprint = "0" * 64

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        means = np.array([np.asarray(image, dtype=np.float32).mean(axis=(0, 1)) + 1e-3 for image in images], np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


@dataclass
class Shop:
    """Puts products into the database and, if they have vectors, into the index."""

    version: EncoderVersion

    def add(
        self,
        *vectors: Sequence[float],
        content: bytes | None = None,
        other_categories: Sequence[Category] = (),
        **fields: Any,
    ) -> Product:
        """A product with one indexed photo for each vector. content: the bytes of its photo."""
        product = ProductFactory.create(**fields)
        product.other_categories.set(other_categories)
        photo = {} if content is None else {"content": content}
        for vector in vectors:
            row = embedding(self.version, ProductImageFactory.create(product=product, **photo), vector)
            get_vector_index().upsert(self.version.index_collection().name, points_of(self.version.layout, [row]))
        return product

    def add_all(self, products: Sequence[tuple[Sequence[float], dict[str, Any]]]) -> list[Product]:
        """Products with one indexed photo each: (the photo's vector, the product's fields). Many of them take a few statements."""
        added = Product.objects.bulk_create(ProductFactory.build(**fields) for _, fields in products)
        photos = ProductImage.objects.bulk_create(ProductImageFactory.build(product=product) for product in added)
        rows = ImageEmbedding.objects.bulk_create(
            new_embedding(self.version, photo, vector) for photo, (vector, _) in zip(photos, products, strict=True)
        )
        get_vector_index().upsert(self.version.index_collection().name, points_of(self.version.layout, rows))
        return added

    def use_distance(self, distance: Distance) -> None:
        """Compare differently. For an empty shop."""
        Collection.objects.filter(pk=self.version.collection_id).update(distance=distance)
        self.version.refresh_from_db()
        get_vector_index().drop(self.version.index_collection().name)
        get_vector_index().ensure(self.version.index_collection())
        clear_live_collection_cache()


@pytest.fixture
def empty_index(settings: Any) -> Iterator[None]:
    """An exact index in memory, and nothing remembered of another test's collections and rules."""
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    clear_live_collection_cache()
    yield
    clear_live_collection_cache()
    forget_rules()


@pytest.fixture
def shop(db: None, settings: Any, empty_index: None, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop without products: the collection `all`, its version `all-v1`, vectors of three numbers."""
    settings.CELERY_BROKER_URL = ""
    monkeypatch.setattr(Backends, "encoder", lambda *_: MeanColourEncoder())
    collection, _ = Collection.objects.get_or_create(slug="all", defaults={"name": "All products"})
    values = {"encoder": "tiny", "fingerprint": MeanColourEncoder.fingerprint, "dim": MeanColourEncoder.dim, "parts": 0}
    version, _ = EncoderVersion.objects.update_or_create(collection=collection, number=1, defaults=values)
    collection.active_version = version
    collection.save()
    get_vector_index().ensure(version.index_collection())
    return Shop(version)


@pytest.fixture
def api() -> Client:
    """A client that sees an error as a visitor would."""
    return Client(raise_request_exception=False)
