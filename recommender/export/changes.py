"""Which answers of the last export may have changed: the rest is copied.

A product counts in answers by its signature: its filter fields, family and photos. An answer may have changed if

- the product itself has another signature, is new, or had a fallback (which lists the newest products),
- one of its results has another signature or is gone,
- a product with another signature, or a new one, is at least as near as its last result, or it had room for more.

The last condition compares the stored vectors exactly, so only what the approximate index leaves to chance can differ from a
whole export.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from catalog.models import Product, ProductImage
from catalog.selectors import visible_products
from embeddings.indexing import payloads_of
from embeddings.models import ImageEmbedding
from embeddings.parts.layout import Weights
from embeddings.selectors import LiveCollection, covered_by
from embeddings.vector_index.base import Distance, Vector
from embeddings.vector_index.scoring import comparable, similarities_of_all
from recommender.export.answers import ExportedAnswer, StateFile
from recommender.selectors import vectors_of_images

BATCH = 500
# With more changed products than these, or this share of all, everything is computed again: it takes no longer.
MAX_CHANGED, MAX_CHANGED_SHARE = 10_000, 0.2
# Stored vectors are float16, those of the index float32.
_TOLERANCE = 2e-3


@dataclass(frozen=True, slots=True)
class Exportable:
    """A product of the collection that may be shown."""

    id: int
    sku: str
    handle: str
    signature: str


def exportable_products(live: LiveCollection) -> Iterator[list[Exportable]]:
    """The visible products that a collection covers, by ascending id, in batches.

    Args:
        live: the collection.

    Yields:
        Products, BATCH at most.
    """
    products = visible_products().filter(covered_by(live.collection_id)).order_by("pk")
    last = 0
    while batch := list(products.filter(pk__gt=last)[:BATCH]):
        last = batch[-1].pk
        signatures = _signatures(live.version_id, batch)
        yield [Exportable(each.pk, each.sku, each.family_code or each.slug, signatures[each.pk]) for each in batch]


def _signatures(version_id: int, products: Sequence[Product]) -> dict[int, str]:
    """A hash of everything by which each product counts in answers."""
    photos: dict[int, list[tuple[int, str]]] = {product.pk: [] for product in products}
    images = ProductImage.objects.filter(product__in=[product.pk for product in products]).order_by("pk")
    for image_id, product_id, sha256 in images.values_list("pk", "product", "sha256"):
        photos[product_id].append((image_id, sha256))
    ids = [image_id for each in photos.values() for image_id, _ in each]
    states = dict(ImageEmbedding.objects.filter(version=version_id, image_id__in=ids).values_list("image_id", "state"))
    payloads = payloads_of(ids)
    signatures = {}
    for product in products:
        own = photos[product.pk]
        # Without a photo the payload counts nowhere but in fallbacks, which are always computed.
        payload = payloads.get(own[0][0]) if own else None
        indexed = [(image_id, sha256, states.get(image_id) == ImageEmbedding.State.INDEXED) for image_id, sha256 in own]
        about = (product.sku, product.slug, product.family_code, product.variant_of_id, payload, indexed)
        signatures[product.pk] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]
    return signatures


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since the last export.

    Attributes:
        live: the collection.
        changed: ids of products that are new or have another signature.
        gone: ids of products that are not exported any more.
        weights: by which the answers were asked for.
        vectors: float32 [n, live.layout.dim], of the photos of the changed ones.
    """

    live: LiveCollection
    changed: frozenset[int]
    gone: frozenset[int]
    weights: Weights
    vectors: NDArray[np.float32] = field(repr=False)

    def may_differ(self, answers: Sequence[ExportedAnswer]) -> set[int]:
        """The products whose answers may have changed.

        Args:
            answers: of the last export.

        Returns:
            Product ids.
        """
        touched = self.changed | self.gone
        if not touched:
            return {answer.id for answer in answers if answer.fallback}
        found = {
            answer.id
            for answer in answers
            if answer.fallback or answer.id in touched or any(each.id in touched for each in answer.results)
        }
        if self.changed:
            found |= {answer.id for answer in answers if answer.floor is None}
        rest = [answer for answer in answers if answer.id not in found]
        if rest and len(self.vectors):
            found |= self._reached(rest)
        return found

    def _reached(self, answers: Sequence[ExportedAnswer]) -> set[int]:
        """Those that have a changed product at least as near as their last result."""
        distance = self.live.index.distance
        by_product = _vectors_of(self.live, [answer.id for answer in answers])
        vectors = [
            (answer, self.live.layout.query(vector, self.weights))
            for answer in answers
            for vector in by_product.get(answer.id, ())
        ]
        if not vectors:
            return set()
        matrix = comparable(np.stack([vector for _, vector in vectors]), distance)
        if distance in (Distance.COSINE, Distance.DOT):
            nearest = (matrix @ self.vectors.T).max(axis=1)
        else:
            nearest = similarities_of_all(self.vectors, matrix, distance).max(axis=1)
        return {
            answer.id
            for (answer, _), score in zip(vectors, nearest.tolist(), strict=True)
            if answer.floor is not None and score >= answer.floor - _TOLERANCE * max(1.0, abs(answer.floor))
        }


def find_changes(live: LiveCollection, state: StateFile, weights: Weights) -> Changes | None:
    """Compare the catalogue with the last export.

    Args:
        live: the collection.
        weights: by which the answers were asked for.
        state: of the last export with the same options.

    Returns:
        What changed; None if that is so much that everything is to be computed again.
    """
    former = state.answers()
    current = next(former, None)
    changed: set[int] = set()
    gone: set[int] = set()
    total = 0
    for batch in exportable_products(live):
        for product in batch:
            total += 1
            while current is not None and current.id < product.id:
                gone.add(current.id)
                current = next(former, None)
            if current is None or current.id != product.id:
                changed.add(product.id)
                continue
            if current.signature != product.signature:
                changed.add(product.id)
            current = next(former, None)
        if len(changed) + len(gone) > MAX_CHANGED:
            return None
    while current is not None:
        gone.add(current.id)
        current = next(former, None)
    if len(changed) + len(gone) > max(MAX_CHANGED_SHARE * total, 1):
        return None
    vectors = [vector for each in _vectors_of(live, sorted(changed)).values() for vector in each]
    matrix = np.stack(vectors) if vectors else np.empty((0, live.layout.dim), dtype=np.float32)
    return Changes(live, frozenset(changed), frozenset(gone), weights, comparable(matrix, live.index.distance))


def _vectors_of(live: LiveCollection, product_ids: Sequence[int]) -> Mapping[int, list[Vector]]:
    """The vectors of the products' photos as the index has them, by product."""
    vectors: dict[int, list[Vector]] = {}
    for start in range(0, len(product_ids), BATCH):
        some = product_ids[start : start + BATCH]
        owners = dict(ProductImage.objects.filter(product__in=some).values_list("pk", "product"))
        for image_id, vector in vectors_of_images(live, list(owners)).items() if owners else ():
            vectors.setdefault(owners[image_id], []).append(vector)
    return vectors
