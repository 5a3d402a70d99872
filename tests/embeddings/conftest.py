"""A shop whose photos go through the real outbox, with an encoder that counts what it is asked for."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from catalog.models import Product, ProductImage
from catalog.services import attach_image
from embeddings import indexing
from embeddings.backends import Backends, get_vector_index
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.registry import registry
from embeddings.vector_index.base import Point, VectorIndex
from pictures.photos import validate_photo
from tests.factories import CategoryFactory, ProductFactory, jpeg, numbered_colour


class CountingEncoder:
    """A photo's vector is its mean colour; `encoded` counts photos."""

    dim = 3
    input_size = 8

    def __init__(self) -> None:
        self.fingerprint = "c" * 64
        self.encoded = 0
        self._lock = threading.Lock()

    def encode(self, images: Sequence[Image.Image]) -> NDArray[np.float32]:
        with self._lock:
            self.encoded += len(images)
        means = np.array([np.asarray(image, dtype=np.float32).mean(axis=(0, 1)) + 1 for image in images], np.float32)
        return means / np.linalg.norm(means, axis=1, keepdims=True)


class AddPhoto(Protocol):
    """Attaches a photo to a product (a new one unless given), through the catalogue's service."""

    def __call__(self, product: Product | None = None, *, content: bytes | None = None) -> ProductImage: ...


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> CountingEncoder:
    """The encoder of every version."""
    counting = CountingEncoder()
    monkeypatch.setattr(Backends, "encoder", lambda _, _name=None: counting)
    return counting


@pytest.fixture
def version(db: None, version_of_all: EncoderVersion) -> EncoderVersion:
    """The active version of the collection `all`, over an empty index in memory."""
    return version_of_all


@pytest.fixture
def version_of_all(encoder: CountingEncoder, settings: Any) -> EncoderVersion:
    """The same, on whichever kind of database access the test has asked for."""
    settings.CELERY_BROKER_URL = ""
    settings.ENCODER_THREADS = 2
    settings.VECTOR_INDEX = {"BACKEND": "tests.memory_index.MemoryVectorIndex", "OPTIONS": {}}
    registry.clear()
    versions = EncoderVersion.objects.filter(pk__in=Collection.objects.filter(slug="all").values("active_version"))
    versions.update(encoder="counting", fingerprint=encoder.fingerprint, dim=encoder.dim, parts=0)
    return versions.select_related("collection").get()


@pytest.fixture
def edge(version: EncoderVersion, settings: Any, tmp_path: Path) -> None:
    """The embedded engine instead of the index in memory."""
    options = {"path": str(tmp_path / "index")}
    settings.VECTOR_INDEX = {"BACKEND": "embeddings.vector_index.edge.EdgeVectorIndex", "OPTIONS": options}


@pytest.fixture
def index(version: EncoderVersion) -> VectorIndex:
    """The vector index; its live collection stands and is empty."""
    get_vector_index().ensure(version.index_collection())
    return get_vector_index()


@pytest.fixture
def add_photo() -> AddPhoto:
    numbers = itertools.count()

    def add(product: Product | None = None, *, content: bytes | None = None) -> ProductImage:
        photo = validate_photo(content or jpeg(numbered_colour(next(numbers))))
        return attach_image(product or ProductFactory.create(), photo)[0]

    return add


@pytest.fixture
def shop(version: EncoderVersion, add_photo: AddPhoto) -> list[int]:
    """Red hats and blue mugs, four products each; embedded and indexed. The ids of their photos."""
    images = []
    for name, colour in (("hats", (200, 20, 20)), ("mugs", (20, 20, 200))):
        category = CategoryFactory.create(name=name)
        for number in range(4):
            shade = (colour[0] + number * 9, colour[1] + number * 9, colour[2] + number * 9)
            images.append(add_photo(ProductFactory.create(category=category), content=jpeg(shade)))
    indexing.process_outbox()
    return [image.pk for image in images]


def points(version: EncoderVersion) -> dict[int, Point]:
    """All points of the live index, by image id."""
    index, name = get_vector_index(), EncoderVersion.objects.get(pk=version.pk).index_collection().name
    ids = [point.id for batch in index.scroll(name) for point in batch]
    return index.retrieve(name, ids)


def states(version: EncoderVersion) -> dict[int, str]:
    """The state of each photo, by image id."""
    return dict(ImageEmbedding.objects.filter(version=version).values_list("image_id", "state"))


@pytest.fixture(autouse=True)
def _no_queue_is_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a broker there is no queue to look at."""
    monkeypatch.setattr("embeddings.tasks.is_long", lambda *_: False)
