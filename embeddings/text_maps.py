"""Trains a version's text map on the catalogue's pairs of text and photo, judges it on products kept aside, and stores it."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.models import ProductImage
from embeddings.encoders.text_map import Vectors, fit_text_map
from embeddings.errors import EncoderUnavailable, NoTextEncoder, UnusablePhotos
from embeddings.models import EncoderVersion, ImageEmbedding, IndexedText
from embeddings.selectors import clear_live_collection_cache
from embeddings.stored_vectors import joined_vectors, vector_from_bytes
from stores import base as stores
from stores.errors import StoreError

# With fewer products the looks of the nearest texts say as much.
LEAST_PRODUCTS = 1000
_MOST_PRODUCTS = 20_000
_ASIDE = 0.2
_MOST_ASIDE = 1000
_FOUND = 10
# What is compared with: the mean looks of products with the nearest texts, as a search with similar looks does.
_NEAREST_TEXTS = 3
_BATCH = 1000


@dataclass(frozen=True)
class Pairs:
    """Products with text and photos.

    Attributes:
        texts: float32 [products, text dim].
        photos: float32 [photos, dim], as the index has them.
        product_of: int [photos], row of the product of each photo, ascending.
    """

    texts: Vectors
    photos: Vectors
    product_of: NDArray[np.int64]

    def looks(self) -> Vectors:
        """float32 [products, dim], the mean of each product's photos."""
        sums = np.zeros((len(self.texts), self.photos.shape[1]), np.float32)
        np.add.at(sums, self.product_of, self.photos)
        return sums


@dataclass(frozen=True, slots=True)
class TextMapFigures:
    """How often the product of a text is among the ten that look most like it, of products kept aside.

    Attributes:
        products: whose photos are searched.
        aside: products kept aside, whose texts are asked.
        recall: Recall@10 of the map.
        text_only: Recall@10 of the mean looks of the products with the nearest texts, of those not kept aside.
        chance: Recall@10 of any ten products.
        seconds: of the training on all pairs; 0 where there was none.
    """

    products: int
    aside: int
    recall: float
    text_only: float
    chance: float
    seconds: float = 0.0


def train_text_map(version: EncoderVersion, *, seed: int = 0) -> TextMapFigures:
    """Train the text map of a version on its collection's products. Searches use it from now on.

    Args:
        version: whose collection has a text encoder in its live index.
        seed: of the products that are kept aside.

    Returns:
        What it finds.

    Raises:
        NoTextEncoder: the version's text index has none.
        EncoderUnavailable: the store does not take the map.
        UnusablePhotos: too few products have a text and a photo that are indexed.
    """
    if not version.text_encoder:
        raise NoTextEncoder(f"the texts of {version.label} have no text encoder")
    pairs = _pairs(version, seed)
    if len(pairs.texts) < LEAST_PRODUCTS:
        raise UnusablePhotos(
            f"a text map needs {LEAST_PRODUCTS:,} products with an indexed text and photo; {version.label} has"
            f" {len(pairs.texts):,}"
        )
    aside = np.random.default_rng(seed).permutation(len(pairs.texts))
    aside = aside[: min(_MOST_ASIDE, int(_ASIDE * len(aside)))]
    figures = judged(pairs, aside, version.text_encoder)
    started = time.perf_counter()
    trained = fit_text_map(version.text_encoder, pairs.texts, pairs.looks(), seed=seed)
    figures = TextMapFigures(**{**asdict(figures), "seconds": time.perf_counter() - started})
    name, content = trained.file()
    try:
        stores.encoders().put(name, content)
    except StoreError as error:
        raise EncoderUnavailable(f"the text map is not stored: {error}") from error
    former, version.text_map = version.text_map, name
    version.metrics = {**version.metrics, "text_map": asdict(figures)}
    version.save(update_fields=["text_map", "metrics"])
    if former not in ("", version.text_map):
        stores.encoders().delete(former)
    clear_live_collection_cache()
    return figures


def judged(pairs: Pairs, aside: NDArray[np.int64], text_encoder: str = "") -> TextMapFigures:
    """What a map finds of products kept aside, trained on the others.

    Args:
        pairs: all products.
        aside: rows of those kept aside.
        text_encoder: name of the encoder of the texts.

    Returns:
        The figures, without the training's time.
    """
    kept = np.setdiff1d(np.arange(len(pairs.texts)), aside)
    looks = pairs.looks()
    trained = fit_text_map(text_encoder, pairs.texts[kept], looks[kept])
    asked = trained.looks(pairs.texts[aside])
    nearest = kept[np.argsort(-(pairs.texts[aside] @ pairs.texts[kept].T), axis=1, kind="stable")[:, :_NEAREST_TEXTS]]
    units = looks / np.maximum(np.linalg.norm(looks, axis=1, keepdims=True), 1e-12)
    return TextMapFigures(
        len(pairs.texts),
        len(aside),
        _recall(trained.similarities(asked, pairs.photos), pairs.product_of, aside),
        _recall(units[nearest].mean(axis=1) @ pairs.photos.T, pairs.product_of, aside),
        min(1.0, _FOUND / len(pairs.texts)),
    )


def _recall(scores: Vectors, product_of: NDArray[np.int64], wanted: NDArray[np.int64]) -> float:
    """Share of rows whose wanted product is among the ten with the best photo. scores: [rows, photos]."""
    starts = np.flatnonzero(np.diff(product_of, prepend=-1))
    best, products = np.maximum.reduceat(scores, starts, axis=1), product_of[starts]
    top = products[np.argsort(-best, axis=1, kind="stable")[:, :_FOUND]]
    return float((top == wanted[:, None]).any(axis=1).mean())


def _pairs(version: EncoderVersion, seed: int) -> Pairs:
    texts = IndexedText.objects.filter(version=version, vector__isnull=False).exclude(state=IndexedText.State.REMOVED)
    ids = sorted(texts.values_list("product_id", flat=True))
    ids = sorted(random.Random(seed).sample(ids, min(_MOST_PRODUCTS, len(ids))))
    text_of: dict[int, Vectors] = {}
    photos_of: defaultdict[int, list[tuple[bytes | memoryview, bytes | memoryview | None]]] = defaultdict(list)
    for start in range(0, len(ids), _BATCH):
        some = ids[start : start + _BATCH]
        for product_id, vector in texts.filter(product_id__in=some).values_list("product_id", "vector"):
            text_of[product_id] = vector_from_bytes(vector or b"")
        owner = dict(ProductImage.objects.filter(product_id__in=some).values_list("pk", "product_id"))
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=[*owner], vector__isnull=False)
        for image_id, vector, parts in rows.order_by("image_id").values_list("image_id", "vector", "parts"):
            photos_of[owner[image_id]].append((vector or b"", parts))
    products = [each for each in ids if photos_of[each]]
    if not products:
        raise UnusablePhotos(f"{version.label} has no product with an indexed text and photo")
    counts = [len(photos_of[each]) for each in products]
    photos = joined_vectors(version.layout, [stored for each in products for stored in photos_of[each]])
    return Pairs(np.stack([text_of[each] for each in products]), photos, np.repeat(np.arange(len(products)), counts))
