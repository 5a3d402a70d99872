"""Strips before and after: what the most-seen products recommend by two encoder versions, from the vectors that both have stored.

Both versions are compared exactly and among the same photos, so that only the encoders differ. No index is asked: the one of a
version that is not active yet does not exist.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Count
from numpy.typing import NDArray

from catalog.cards import ProductCard, visible_cards
from catalog.models import ProductImage
from catalog.selectors import visible_products
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.selectors import covered_by
from embeddings.stored_vectors import vector_from_bytes
from recommender.models import Event

PRODUCTS, LENGTH = 50, 6
# A shop with more photos than can be read in this time is compared by those that were, drawn at random.
TIME_LIMIT_S = 15.0
_BATCH = 1000
# Photos of a product that are asked.
_PHOTOS = 4
# More than are shown: variants of one family take one place.
_CANDIDATES = 40


@dataclass(frozen=True, slots=True)
class Strip:
    """A product and what it recommends by both versions.

    Attributes:
        product: its card.
        impressions: how often it was seen; 0 if nobody reported that.
        before: by the live version, best first.
        after: by the candidate.
    """

    product: ProductCard
    impressions: int
    before: Sequence[ProductCard]
    after: Sequence[ProductCard]

    @property
    def new(self) -> frozenset[int]:
        """Ids of products that only the candidate recommends."""
        return frozenset(card.id for card in self.after) - {card.id for card in self.before}

    @property
    def gone(self) -> frozenset[int]:
        """Ids of products that only the live version recommends."""
        return frozenset(card.id for card in self.before) - {card.id for card in self.after}


@dataclass(frozen=True, slots=True)
class StripComparison:
    """Strips of the most-seen products.

    Attributes:
        strips: those that change most first.
        photos: among how many photos they were looked for.
        all_photos: how many both versions have embedded.
    """

    strips: Sequence[Strip]
    photos: int
    all_photos: int

    @property
    def changed(self) -> int:
        """How many strips have another product."""
        return sum(bool(strip.new) for strip in self.strips)


def compare_strips(live: EncoderVersion, candidate: EncoderVersion) -> StripComparison:
    """Compare what two versions of a collection recommend beside its most-seen products, or its newest ones.

    Args:
        live: the active version.
        candidate: the version to compare with it.

    Returns:
        Strips of products that both versions have embedded; none if there is no such product.
    """
    common = ImageEmbedding.objects.filter(version=candidate, vector__isnull=False).values("image_id")
    rows = ImageEmbedding.objects.filter(version=live, vector__isnull=False, image_id__in=common)
    image_ids = np.fromiter(rows.order_by("image_id").values_list("image_id", flat=True).iterator(), dtype=np.int64)
    seen = _most_seen(live)
    queries = _queries([product_id for product_id, _ in seen], set(image_ids.tolist()))
    if not queries:
        return StripComparison([], 0, len(image_ids))
    nearest = {version.pk: _Nearest(version, queries) for version in (live, candidate)}
    photos = _compare_all(nearest.values(), image_ids)
    answers = {pk: each.products() for pk, each in nearest.items()}
    shown = {product_id for by_query in answers.values() for found in by_query.values() for product_id in found}
    cards = visible_cards({*shown, *queries})
    impressions = dict(seen)
    strips = [
        Strip(
            cards[product_id],
            impressions[product_id],
            *(_strip(cards, product_id, answers[version.pk][product_id]) for version in (live, candidate)),
        )
        for product_id in queries
        if product_id in cards
    ]
    return StripComparison(sorted(strips, key=lambda strip: -len(strip.new)), photos, len(image_ids))


def _most_seen(version: EncoderVersion) -> list[tuple[int, int]]:
    """Visible products of the collection with their impressions, most first; then the newest ones."""
    covered = visible_products().filter(covered_by(version.collection_id))
    events = Event.objects.filter(
        type=Event.Type.IMPRESSION, collection=version.collection.slug, product_id__in=covered.order_by().values("pk")
    )
    counted = events.order_by().values_list("product_id").annotate(seen=Count("pk")).order_by("-seen", "product_id")
    seen = [(int(product_id), number) for product_id, number in counted[:PRODUCTS] if product_id is not None]
    known = {product_id for product_id, _ in seen}
    newest = covered.exclude(pk__in=known).order_by("-pk").values_list("pk", flat=True)[: PRODUCTS - len(seen)]
    return [*seen, *((product_id, 0) for product_id in newest)]


def _queries(product_ids: Sequence[int], embedded: set[int]) -> dict[int, list[int]]:
    """Photos of the products that both versions have embedded, by product in the given order."""
    photos: dict[int, list[int]] = {product_id: [] for product_id in product_ids}
    images = ProductImage.objects.filter(product__in=product_ids).order_by("position", "id")
    for image_id, product_id in images.values_list("pk", "product"):
        if image_id in embedded and len(photos[product_id]) < _PHOTOS:
            photos[product_id].append(image_id)
    return {product_id: ids for product_id, ids in photos.items() if ids}


class _Nearest:
    """The nearest products of some products by one version, kept while photos are read."""

    def __init__(self, version: EncoderVersion, queries: dict[int, list[int]]) -> None:
        self._version = version
        ids = [image_id for photos in queries.values() for image_id in photos]
        vectors = self.vectors(ids)
        self._asked = {
            product_id: np.stack([vectors[image_id] for image_id in photos]) for product_id, photos in queries.items()
        }
        self._best: dict[int, dict[int, float]] = {product_id: {} for product_id in queries}

    def vectors(self, image_ids: Sequence[int]) -> dict[int, NDArray[np.float32]]:
        """Unit vectors by photo."""
        rows = ImageEmbedding.objects.filter(version=self._version, image_id__in=image_ids, vector__isnull=False)
        vectors = {}
        for image_id, stored in rows.values_list("image_id", "vector"):
            vector = vector_from_bytes(stored or b"")
            vectors[image_id] = vector / np.linalg.norm(vector)
        return vectors

    def add(self, owners: Mapping[int, int]) -> None:
        """Compare with photos. owners: product by photo."""
        vectors = self.vectors(list(owners))
        if not vectors:
            return
        ids = list(vectors)
        matrix = np.stack([vectors[image_id] for image_id in ids])
        for product_id, asked in self._asked.items():
            scores = (asked @ matrix.T).max(axis=0)
            best = self._best[product_id]
            for column in np.argsort(-scores)[:_CANDIDATES].tolist():
                other = owners[ids[column]]
                best[other] = max(best.get(other, -1.0), float(scores[column]))
            if len(best) > 2 * _CANDIDATES:
                self._best[product_id] = dict(sorted(best.items(), key=lambda each: -each[1])[:_CANDIDATES])

    def products(self) -> dict[int, list[int]]:
        """Products by the product that was asked for, nearest first."""
        return {
            product_id: sorted(best, key=lambda other: (-best[other], other)) for product_id, best in self._best.items()
        }


def _compare_all(nearest: Collection[_Nearest], image_ids: NDArray[np.int64]) -> int:
    """Compare with all photos, or with as many as there is time for. Returns how many."""
    started, compared = time.monotonic(), 0
    # At random, so that those of a shop that is too large are no one's favourites.
    order = np.random.default_rng(0).permutation(image_ids)
    for start in range(0, len(order), _BATCH):
        if time.monotonic() - started > TIME_LIMIT_S:
            break
        batch = order[start : start + _BATCH].tolist()
        owners = dict(ProductImage.objects.filter(pk__in=batch, product__active=True).values_list("pk", "product"))
        for each in nearest:
            each.add(owners)
        compared += len(batch)
    return compared


def _strip(cards: dict[int, ProductCard], product_id: int, found: Sequence[int]) -> list[ProductCard]:
    """The first products of other families, one of each."""
    families = {cards[product_id].family}
    strip: list[ProductCard] = []
    for other in found:
        card = cards.get(other)
        if card is not None and card.family not in families and len(strip) < LENGTH:
            families.add(card.family)
            strip.append(card)
    return strip
