"""Judged queries of a collection, as rankers are trained and measured on: what the text search finds for them, with grades.

The words of the catalogue are searched in memory: a command has no part in the index of a server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from django.db.models import QuerySet

from catalog.models import Product
from catalog.selectors import ids_of_skus
from embeddings.errors import InvalidJudgements
from embeddings.models import EncoderVersion
from embeddings.ranking.candidates import RERANKED, JudgedQuery
from embeddings.ranking.corpus import Corpus
from embeddings.ranking.judgements import read_judgements
from embeddings.selectors import LiveCollection, live_collection
from embeddings.text.bm25 import field_lengths, mean_lengths
from embeddings.text.queries import query_of
from embeddings.text_indexing import texts_of
from embeddings.text_outbox import products_covered
from jobs.progress import ProgressCallback, StageProgress
from recommender.ranking import candidates_of
from recommender.searching import synonyms_of

# Of each kind of word, so many are found.
_DEPTH = 100
_BATCH = 500
_SKUS_SHOWN = 5

# Grade by product id, by query.
Judgements = Mapping[str, Mapping[int, float]]


def judgements_of_file(path: Path) -> Judgements:
    """Read judgements, and look up their products.

    Args:
        path: a CSV file, see `read_judgements`.

    Returns:
        Grade by product id, by query; of products that there are.

    Raises:
        InvalidJudgements: it is no such file, or names no product that there is.
    """
    by_query = read_judgements(path)
    skus = sorted({sku for judged in by_query.values() for sku in judged})
    ids: dict[str, int] = {}
    for start in range(0, len(skus), _BATCH):
        ids |= ids_of_skus(skus[start : start + _BATCH])
    if not ids:
        shown = ", ".join(skus[:_SKUS_SHOWN])
        raise InvalidJudgements(f"{path}: no product has any of its {len(skus)} SKUs ({shown}, ...)")
    found = {
        query: {ids[sku]: grade for sku, grade in judged.items() if sku in ids} for query, judged in by_query.items()
    }
    return {query: judged for query, judged in found.items() if judged}


def judged_queries(collection_slug: str, judgements: Judgements, on_progress: ProgressCallback) -> list[JudgedQuery]:
    """What the text search of a collection finds for judged queries.

    Args:
        collection_slug: one with an active version.
        judgements: grade by product id, by query.
        on_progress: called with the stages "reading texts" and "searching".

    Returns:
        The queries of which a product has a grade above 0, in their order.

    Raises:
        UnknownCollection: there is no such collection, or it has no active version.
    """
    live = live_collection(collection_slug)
    kept = {query: judged for query, judged in judgements.items() if any(grade > 0 for grade in judged.values())}
    synonyms = synonyms_of(live.language)
    queries = {text: query_of(text, live.language, synonyms) for text in kept}
    lengths = live.text_lengths or _lengths(live)
    corpus = Corpus(queries.values(), live.language, lengths)
    ids = list(_covered(live).order_by("pk").values_list("pk", flat=True))
    progress = StageProgress(on_progress, "reading texts", len(ids))
    for batch in _batches(ids):
        for product_id, product in texts_of(batch).items():
            corpus.add(product_id, product)
        progress.advance(len(batch))
    found = []
    progress = StageProgress(on_progress, "searching", len(kept))
    for text, judged in kept.items():
        query = queries[text]
        scores = corpus.search(query, _DEPTH)
        # Only what is found is put in order. What was judged and is not found would be good as a rule, and taught as such.
        chosen = [*scores][:RERANKED]
        texts = texts_of(chosen)
        candidates = candidates_of(live, chosen, scores, texts)
        grades = np.array([judged.get(each, 0.0) for each in chosen], np.float32)
        found.append(JudgedQuery(text, corpus.asked(query), candidates, grades, [*judged.values()]))
        progress.advance()
    return found


def _covered(live: LiveCollection) -> QuerySet[Product]:
    return products_covered(EncoderVersion.objects.get(pk=live.version_id)).filter(active=True)


def _lengths(live: LiveCollection) -> Mapping[str, float]:
    """Mean lengths of the fields, of a collection whose texts were never indexed."""
    ids = list(_covered(live).order_by("pk").values_list("pk", flat=True)[:2000])
    return mean_lengths(
        field_lengths(text, live.language) for batch in _batches(ids) for text in texts_of(batch).values()
    )


def _batches(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))
