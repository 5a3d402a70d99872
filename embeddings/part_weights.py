"""What colour and pattern count by default, found in the catalogue: as much as its categories bear.

Products of one category differ from others in shape, as a rule. The more colour and pattern count, the more products of other
categories come near. So they get the highest weights at which the nearest products are still nearly as often of the same
category. Where colour separates categories (fruit), that is more than where it does not (clothes).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as pairs
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.outbox import images_covered
from embeddings.parts.layout import COLOUR, DEFAULT_WEIGHTS, PATTERN, SHAPE, Layout, Weights
from embeddings.registry import registry
from embeddings.selectors import clear_live_collection_cache
from embeddings.stored_vectors import joined_vectors

TOP = 8
# How much less often the nearest may be of the category than by the shape alone.
_TOLERANCE = 0.03
_COLOURS, _PATTERNS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), (0.0, 0.1, 0.2, 0.3, 0.5)
_SAMPLE = 800
# With fewer there is nothing to find out.
MIN_PHOTOS = 60
# Found again once the catalogue has grown by this much, looked at no more often than this.
_GROWTH, _EVERY_S = 2.0, 10.0


@dataclass(frozen=True, slots=True)
class FoundWeights:
    """What was found.

    Attributes:
        weights: the default weights.
        photos: in how many photos they were found; 0 where there were too few, or no two categories.
        category_share: how often the `TOP` nearest are of the category with them; None with photos 0.
        by_shape: the same by the shape alone.
    """

    weights: Weights
    photos: int = 0
    category_share: float | None = None
    by_shape: float | None = None


def find_weights(version: EncoderVersion, *, seed: int = 0) -> FoundWeights:
    """Find what colour and pattern count by default.

    Args:
        version: whose photos are embedded.
        seed: of the sample of photos.

    Returns:
        The weights; DEFAULT_WEIGHTS where the catalogue does not say.
    """
    layout = version.layout
    rows = _labelled(version)
    if not layout.parts or len(rows) < MIN_PHOTOS or len({path for _, path, _ in rows}) < 2:
        return FoundWeights(DEFAULT_WEIGHTS)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows))[:_SAMPLE])
    sample = [rows[place] for place in chosen.tolist()]
    stored = {
        image_id: (vector or b"", parts)
        for image_id, vector, parts in ImageEmbedding.objects.filter(
            version=version, image_id__in=[image_id for image_id, _, _ in sample], vector__isnull=False
        ).values_list("image_id", "vector", "parts")
    }
    sample = [each for each in sample if each[0] in stored]
    vectors = joined_vectors(layout, [stored[image_id] for image_id, _, _ in sample])
    return best_weights(layout, vectors, *(np.array([each[place] for each in sample]) for place in (1, 2)))


def refresh_weights(version: EncoderVersion) -> FoundWeights:
    """Find the default weights of a version again, and keep them.

    Args:
        version: whose photos are embedded.

    Returns:
        What was found.
    """
    found = find_weights(version)
    embedded = ImageEmbedding.objects.filter(version=version, vector__isnull=False).count()
    version.weights = {
        "weights": found.weights.as_dict(), "photos": found.photos, "of": embedded,
        "category_share": found.category_share, "category_share_by_shape": found.by_shape,
    }  # fmt: skip
    version.save(update_fields=["weights"])
    clear_live_collection_cache()
    return found


def refresh_if_grown(version: EncoderVersion) -> None:
    """Find the default weights of a version again if its photos are twice as many as then.

    Args:
        version: some of whose photos were embedded.
    """
    if not version.layout.parts or not registry.get(_Looked).is_time(version.pk):
        return
    embedded = ImageEmbedding.objects.filter(version=version, vector__isnull=False).count()
    if embedded >= max(MIN_PHOTOS, _GROWTH * version.weights.get("of", 0)):
        refresh_weights(version)


class _Looked:
    """When this process last looked how many photos there are, by version."""

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._lock = threading.Lock()

    def is_time(self, version_id: int) -> bool:
        now = time.monotonic()
        with self._lock:
            if now - self._at.get(version_id, float("-inf")) < _EVERY_S:
                return False
            self._at[version_id] = now
        return True


def _labelled(version: EncoderVersion) -> Sequence[tuple[int, str, int]]:
    """Photo, category and product of the embedded photos that have a category, one photo of each product."""
    embedded = ImageEmbedding.objects.filter(version=version, vector__isnull=False).values("image_id")
    photos = images_covered(version).filter(product__active=True, product__category__isnull=False, pk__in=embedded)
    rows: Any = photos.order_by("product_id", "position", "pk").values_list(
        "pk", "product__category__path", "product_id"
    )
    first: dict[int, tuple[int, str, int]] = {}
    for row in rows:
        first.setdefault(row[2], row)
    return [*first.values()]


def best_weights(
    layout: Layout, vectors: NDArray[np.float32], categories: NDArray[Any], products: NDArray[Any]
) -> FoundWeights:
    """The highest weights of colour and pattern that categories bear.

    Args:
        layout: of the vectors; one with parts.
        vectors: float32 [n, layout.dim].
        categories: [n], of the photos.
        products: [n], of the photos: a product is not compared with itself.

    Returns:
        What was found.
    """
    shapes, parts = layout.split(vectors)
    by_part = {SHAPE: shapes @ shapes.T}
    start = 0
    for part in layout.parts:
        piece = parts[:, start : start + part.length] if parts is not None else shapes
        by_part[part.name], start = piece @ piece.T, start + part.length
    same = categories[:, None] == categories
    alone = products[:, None] == products
    top = min(TOP, len(vectors) - 1)

    def share(colour: float, pattern: float) -> float:
        scores = by_part[SHAPE] + np.float32(colour) * by_part[COLOUR] + np.float32(pattern) * by_part[PATTERN]
        scores[alone] = -np.inf
        nearest = np.argpartition(-scores, top, axis=1)[:, :top]
        return float(np.take_along_axis(same, nearest, axis=1).mean())

    by_shape = share(0, 0)
    floor = by_shape * (1 - _TOLERANCE)
    # Colour before pattern: shoppers ask for it more often.
    ordered = sorted(pairs(_COLOURS, _PATTERNS), key=lambda each: (-(each[0] + each[1]), -each[0]))
    for colour, pattern in ordered:
        if (found := share(colour, pattern)) >= floor:
            return FoundWeights(Weights(1.0, colour, pattern), len(vectors), found, by_shape)
    return FoundWeights(Weights(), len(vectors), by_shape, by_shape)
