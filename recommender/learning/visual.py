"""The visual order of results that were seen, by the vectors in the database: a command has no part in the index of a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.models import ProductImage
from embeddings.encoders.mapped import mapped
from embeddings.parts.layout import SHAPE
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Vector
from embeddings.vector_index.scoring import comparable, similarities
from recommender.selectors import vectors_of_images

_PRODUCTS_A_QUERY = 500

Scale = NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class VisualOrder:
    """Results beside a product, best first.

    Attributes:
        results: product ids.
        confidences: of each; None without a calibration.
    """

    results: list[int]
    confidences: list[float | None]


def visual_orders(
    live: LiveCollection, seen: Mapping[int, Collection[int]], scales: Sequence[Scale] = (None,)
) -> list[dict[int, VisualOrder]]:
    """Put the results that were seen beside products in the order of their best-matching photos.

    Args:
        live: the collection.
        seen: by product, results that were seen beside it.
        scales: float32 [dim] each: maps of the vectors; None for the vectors as they are.

    Returns:
        For each map the order by product, of those products and results that have vectors.
    """
    vectors = vectors_by_product(live, {*seen, *(result for results in seen.values() for result in results)})
    return [_orders(live, seen, vectors if scale is None else _mapped(live, vectors, scale)) for scale in scales]


def _mapped(
    live: LiveCollection, vectors: Mapping[int, NDArray[np.float32]], scale: NDArray[np.float32]
) -> dict[int, NDArray[np.float32]]:
    """The vectors with their shapes mapped."""
    split = {product_id: live.layout.split(photos) for product_id, photos in vectors.items()}
    return {
        product_id: live.layout.joined(mapped(shapes, scale), parts) for product_id, (shapes, parts) in split.items()
    }


def _orders(
    live: LiveCollection, seen: Mapping[int, Collection[int]], vectors: Mapping[int, NDArray[np.float32]]
) -> dict[int, VisualOrder]:
    orders = {}
    for product_id, results in seen.items():
        if product_id not in vectors:
            continue
        scores = {
            result: _similarity(vectors[product_id], vectors[result], live)
            for result in results
            if result in vectors and result != product_id
        }
        best_first = sorted(scores, key=lambda result: (-scores[result][0], result))
        orders[product_id] = VisualOrder(best_first, [scores[result][1] for result in best_first])
    return orders


def vectors_by_product(live: LiveCollection, product_ids: Collection[int]) -> dict[int, NDArray[np.float32]]:
    """Read the vectors of products' photos.

    Args:
        live: the collection with the encoder version.
        product_ids: the products.

    Returns:
        float32 [photos, live.layout.dim] by product, as the index has them, in the order of the photos, of those products that
        have any.
    """
    vectors: dict[int, list[Vector]] = defaultdict(list)
    ids = sorted(product_ids)
    for start in range(0, len(ids), _PRODUCTS_A_QUERY):
        photos = ProductImage.objects.filter(product__in=ids[start : start + _PRODUCTS_A_QUERY])
        product_of = dict(photos.order_by("product_id", "position", "pk").values_list("pk", "product_id"))
        found = vectors_of_images(live, product_of)
        for image_id, product_id in product_of.items():
            if image_id in found:
                vectors[product_id].append(found[image_id])
    return {product_id: np.stack(photos) for product_id, photos in vectors.items()}


def _similarity(
    one: NDArray[np.float32], other: NDArray[np.float32], live: LiveCollection
) -> tuple[float, float | None]:
    """The score of the two photos that match best, and its confidence."""
    distance, layout = live.index.distance, live.layout
    others = comparable(other, distance)
    asked = comparable(np.stack([layout.query(vector, live.weights) for vector in one]), distance)
    scores = np.stack([similarities(others, vector, distance) for vector in asked])
    row, column = np.unravel_index(int(scores.argmax()), scores.shape)
    score = float(scores[row, column])
    cosine = distance.cosine_of(score)
    if layout.parts:
        cosine = float(layout.cosines(one[row][None], other[column][None])[SHAPE][0])
    return score, None if live.calibration is None or cosine is None else live.calibration.probability_of(cosine)
