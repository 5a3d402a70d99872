"""The visual order of results that were seen, by the vectors in the database: a command has no part in the index of a server."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from catalog.models import ProductImage
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Vector, comparable, similarities
from recommender.selectors import vectors_of_images

_PRODUCTS_A_QUERY = 500


@dataclass(frozen=True, slots=True)
class VisualOrder:
    """Results beside a product, best first.

    Attributes:
        results: product ids.
        confidences: of each; None without a calibration.
    """

    results: list[int]
    confidences: list[float | None]


def visual_orders(live: LiveCollection, seen: Mapping[int, Collection[int]]) -> dict[int, VisualOrder]:
    """Put the results that were seen beside products in the order of their best-matching photos.

    Args:
        live: the collection.
        seen: by product, results that were seen beside it.

    Returns:
        The order by product, of those products and results that have vectors.
    """
    vectors = _vectors_by_product(
        live.version_id, {*seen, *(result for results in seen.values() for result in results)}
    )
    orders = {}
    for product_id, results in seen.items():
        if product_id not in vectors:
            continue
        scores = {
            result: _similarity(vectors[product_id], vectors[result], live)
            for result in results
            if result in vectors and result != product_id
        }
        best_first = sorted(scores, key=lambda result: (-scores[result], result))
        orders[product_id] = VisualOrder(best_first, [_confidence(live, scores[result]) for result in best_first])
    return orders


def _similarity(one: list[Vector], other: list[Vector], live: LiveCollection) -> float:
    distance = live.index.distance
    ones, others = (comparable(np.stack(vectors), distance) for vectors in (one, other))
    return max(float(similarities(others, vector, distance).max()) for vector in ones)


def _confidence(live: LiveCollection, score: float) -> float | None:
    cosine = live.index.distance.cosine_of(score)
    return None if live.calibration is None or cosine is None else live.calibration.probability_of(cosine)


def _vectors_by_product(version_id: int, product_ids: Collection[int]) -> dict[int, list[Vector]]:
    vectors: dict[int, list[Vector]] = defaultdict(list)
    ids = sorted(product_ids)
    for start in range(0, len(ids), _PRODUCTS_A_QUERY):
        photos = ProductImage.objects.filter(product__in=ids[start : start + _PRODUCTS_A_QUERY]).order_by()
        product_of = dict(photos.values_list("pk", "product_id"))
        for image_id, vector in vectors_of_images(version_id, product_of).items():
            vectors[product_of[image_id]].append(vector)
    return vectors
