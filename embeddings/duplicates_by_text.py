"""Pairs of products whose texts say that they are the same, where photos do not: one has none, or another one.

Titles choose the pairs that are compared; all that both products say decides, by the probability that matches have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from catalog.duplicates import MatchEvidence
from catalog.models import DuplicatePair, Product
from embeddings.matches import coefficients, cosine, record_of, vectors_of_photos
from embeddings.matching.blocking import TextIndex
from embeddings.matching.features import features_of
from embeddings.matching.gallery import CANDIDATES, evidence_of, nearest
from embeddings.matching.records import Record
from embeddings.models import EncoderVersion
from jobs.progress import ProgressCallback, StageProgress

# Somebody looks at each pair. Of the demo's 300 products, all different, two pairs are as probable.
LEAST_PROBABILITY = 0.8
# Titles less alike than this are another product's, whatever else is said.
_LEAST_COSINE = 0.5
_BATCH = 50

Pair = tuple[int, int]


def pairs_by_text(
    version: EncoderVersion, known: Collection[Pair], on_progress: ProgressCallback
) -> dict[Pair, MatchEvidence]:
    """Find the pairs of active products that are probably the same by what they say.

    Args:
        version: whose vectors say how alike photos are, where both products have some.
        known: pairs by photos, ascending ids, which are left out.
        on_progress: called with the stage "comparing texts".

    Returns:
        The probability of each pair as its similarity, by ascending ids.
    """
    columns = ("pk", "variant_of", "title", "brand")
    rows = list(Product.objects.filter(active=True).order_by("pk").values_list(*columns))
    ids, family = [pk for pk, *_ in rows], {pk: main or pk for pk, main, *_ in rows}
    index, model = TextIndex(), coefficients()
    index.add(Record(title, brand).tokens for _, _, title, brand in rows)
    found: dict[Pair, MatchEvidence] = {}
    progress = StageProgress(on_progress, "comparing texts", len(ids))
    for batch in _batches(ids):
        products = Product.objects.in_bulk(batch)
        alike = {pk: _alike(index, ids, product) for pk, product in products.items()}
        others = {other for some in alike.values() for other in some}
        products |= Product.objects.in_bulk(others - products.keys())
        vectors = vectors_of_photos(version.pk, products)
        for pk in batch:
            texts = {other: text for other, text in alike.get(pk, {}).items() if other in products}
            own = np.stack(vectors[pk]) if pk in vectors else _NO_VECTORS
            evidence = evidence_of(
                {other: (cosine(own, vectors.get(other, ())), text) for other, text in texts.items()}
            )
            wanted = [
                other
                for other, text in texts.items()
                if other > pk and text >= _LEAST_COSINE and family[other] != family[pk] and (pk, other) not in known
            ]
            if not wanted:
                continue
            record = record_of(products[pk])
            features = [features_of(record, record_of(products[other]), evidence[other], index.idf) for other in wanted]
            for other, probability in zip(wanted, model.probabilities(np.stack(features)).tolist(), strict=True):
                if probability >= LEAST_PROBABILITY:
                    found[pk, other] = MatchEvidence(DuplicatePair.Kind.TEXT, probability, 0)
        progress.advance(len(batch))
    return found


_NO_VECTORS: NDArray[np.float32] = np.empty((0, 0), np.float32)


def _alike(index: TextIndex, ids: Sequence[int], product: Product) -> dict[int, float]:
    """Cosines of the titles most like a product's, by product."""
    cosines = index.cosines(Record(product.title, product.brand).tokens)
    best = {ids[row]: float(cosines[row]) for row in nearest(cosines, CANDIDATES + 1).tolist() if cosines[row] > 0}
    best.pop(product.pk, None)
    return best


def _batches(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
