"""Evaluates encoder versions on the catalogue itself: photos of the same category, or of the same product, are to be found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from catalog.models import ProductImage
from embeddings.dataset import PhotoSet, read_catalogue
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.finds import CategoryFinds, category_finds
from embeddings.evaluation.metrics import (
    Labels,
    PerQuery,
    RetrievalMetrics,
    labels_of,
    mean_metrics,
    per_query_metrics,
)
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.outbox import images_covered
from embeddings.stored_vectors import vector_from_bytes

QUERIES = 2000
GALLERY = 20_000


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions, evaluated on the same photos of the catalogue."""

    live: RetrievalMetrics
    candidate: RetrievalMetrics

    @property
    def worse(self) -> bool:
        """Whether the candidate finds less of a photo's category than the live version does."""
        return self.candidate.mean_average_precision < self.live.mean_average_precision


def catalogue_photos(version: EncoderVersion) -> PhotoSet:
    """The photos that the version's collection covers, labelled by category. Raises UnusablePhotos."""
    images = images_covered(version).filter(product__active=True).select_related("product__category").order_by("pk")
    return read_catalogue(f"the catalogue ({version.collection.slug})", images.iterator(chunk_size=2000))


def compare(live: EncoderVersion, candidate: EncoderVersion, *, seed: int = 0) -> Comparison:
    """Rank a sample of the catalogue's photos by the vectors that both versions have of them, each against the others.

    A photo matches those of other products of its category.

    Args:
        live: the active version.
        candidate: the version to compare with it.
        seed: of the sample.

    Returns:
        The metrics of both on the same photos.

    Raises:
        UnusablePhotos: no photo is embedded by both, or no category has two products.
    """
    ids, rows, labels, products = _sample(live, candidate, seed)
    try:
        return Comparison(
            *(mean_metrics(_evaluated(version, ids, rows, labels, products)) for version in (live, candidate))
        )
    except ValueError as error:
        raise UnusablePhotos(
            "no category has photos of two products: there is nothing to compare versions by"
        ) from error


def compare_categories(live: EncoderVersion, candidate: EncoderVersion, *, seed: int = 0) -> list[CategoryFinds]:
    """How often each version finds a photo's category first, on the sample of `compare`.

    Args:
        live: the active version.
        candidate: the version to compare with it.
        seed: of the sample.

    Returns:
        One for each category with photos of two products, by path.

    Raises:
        UnusablePhotos: no photo is embedded by both.
    """
    ids, rows, labels, products = _sample(live, candidate, seed)
    asked = labels[rows]
    evaluated = [_evaluated(version, ids, rows, labels, products) for version in (live, candidate)]
    return category_finds(asked, *evaluated)


def _sample(
    live: EncoderVersion, candidate: EncoderVersion, seed: int
) -> tuple[list[int], NDArray[np.int64], Labels, Labels]:
    """Photos that both have embedded, rows of those that are asked, categories and products of all. Raises UnusablePhotos."""
    candidates = images_covered(live).filter(product__active=True, product__category__isnull=False)
    embedded = [
        ImageEmbedding.objects.filter(version=version, vector__isnull=False).values("image_id")
        for version in (live, candidate)
    ]
    ids = list(
        candidates.filter(pk__in=embedded[0]).filter(pk__in=embedded[1]).order_by("pk").values_list("pk", flat=True)
    )
    random = np.random.default_rng(seed)
    if len(ids) > GALLERY:
        ids = [ids[row] for row in np.sort(random.choice(len(ids), GALLERY, replace=False))]
    rows = np.sort(random.permutation(len(ids))[:QUERIES])
    if not ids:
        raise UnusablePhotos("no photo of a category is embedded by both versions")
    about = _about(ids)
    labels, products = (labels_of([about[image_id][part] for image_id in ids]) for part in (0, 1))
    return ids, rows, labels, products


def _about(ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Category path and product of each photo."""
    return {
        image_id: (path, str(product))
        for start in range(0, len(ids), 1000)
        for image_id, path, product in ProductImage.objects.filter(pk__in=ids[start : start + 1000]).values_list(
            "pk", "product__category__path", "product_id"
        )
    }


def _evaluated(
    version: EncoderVersion, ids: Sequence[int], rows: NDArray[np.int64], labels: Labels, products: Labels
) -> PerQuery:
    vectors = {
        image_id: vector_from_bytes(vector or b"")
        for start in range(0, len(ids), 1000)
        for image_id, vector in ImageEmbedding.objects.filter(
            version=version, image_id__in=ids[start : start + 1000]
        ).values_list("image_id", "vector")
    }
    gallery = np.stack([vectors[image_id] for image_id in ids])
    gallery /= np.linalg.norm(gallery, axis=1, keepdims=True)
    # A query is a photo of the gallery: its own product, and so itself, is left out of its answer.
    return per_query_metrics(
        gallery[rows], labels[rows], gallery, labels, query_groups=products[rows], gallery_groups=products
    )
