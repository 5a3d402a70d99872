"""Judged queries of a collection, as rankers are trained and measured on: what the text search finds for them, with grades.

The words of the catalogue are searched in memory: a command has no part in the index of a server.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from django.db.models import QuerySet

from catalog.models import Product
from catalog.selectors import ids_of_skus
from embeddings.backends import get_text_encoder
from embeddings.errors import InvalidJudgements
from embeddings.models import EncoderVersion
from embeddings.ranking.candidates import RERANKED, JudgedQuery
from embeddings.ranking.corpus import Corpus
from embeddings.ranking.judgements import parse_judgements
from embeddings.ranking.titles import title_queries
from embeddings.selectors import LiveCollection, live_collection
from embeddings.text.bm25 import field_lengths, mean_lengths
from embeddings.text.queries import query_of
from embeddings.text_indexing import texts_of
from embeddings.text_outbox import products_covered
from embeddings.vector_index.base import Vector
from jobs.progress import ProgressCallback, StageProgress
from recommender.ranking import candidates_of, cosines_to, text_vectors
from recommender.searching import synonyms_of

# Of each kind of word, so many are found.
_DEPTH = 100
_BATCH = 500
# Products whose titles are searched for among them.
_TITLED = 5000
_SKUS_SHOWN = 5

# Grade by product id, by query.
Judgements = Mapping[str, Mapping[int, float]]


def judgements_of_file(path: Path, name: str = "") -> Judgements:
    """Read a file of judgements, and look up their products.

    Args:
        path: the file; see `parse_judgements`.
        name: of the file in messages; "" for its path.

    Returns:
        Grade by product id, by query; of products that there are.

    Raises:
        InvalidJudgements: it cannot be read, is no such file, or names no product that there is.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidJudgements(f"{name or path} cannot be read: {error.strerror or error}") from error
    return judgements_of_content(content, name or str(path))


def judgements_of_content(content: bytes, name: str) -> Judgements:
    """The same, of what a file contains.

    Args:
        content: see `parse_judgements`.
        name: of the file in messages.

    Returns:
        Grade by product id, by query; of products that there are.

    Raises:
        InvalidJudgements: it is no such file, or names no product that there is.
    """
    by_query = parse_judgements(content, name)
    skus = sorted({sku for judged in by_query.values() for sku in judged})
    ids: dict[str, int] = {}
    for start in range(0, len(skus), _BATCH):
        ids |= ids_of_skus(skus[start : start + _BATCH])
    if not ids:
        shown = ", ".join([*skus[:_SKUS_SHOWN], *["..."] * (len(skus) > _SKUS_SHOWN)])
        raise InvalidJudgements(f"{name}: no product has any of its {len(skus)} SKUs ({shown})")
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
        EncoderUnavailable: the files of the collection's text encoder are missing or damaged.
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
        corpus.add(texts_of(batch))
        progress.advance(len(batch))
    found = []
    progress = StageProgress(on_progress, "searching", len(kept))
    encoder = get_text_encoder(live.text_encoder) if live.text_encoder else None
    vectors = _vectors(live, ids) if encoder else {}
    for text, judged in kept.items():
        query = queries[text]
        meaning = None if encoder is None else encoder.encode([text])[0]
        scores = corpus.search(query, _DEPTH, None if meaning is None else cosines_to(meaning, vectors))
        # Only what is found is put in order. What was judged and is not found would be good as a rule, and taught as such.
        chosen = [*scores][:RERANKED]
        texts = texts_of(chosen)
        candidates = candidates_of(live, chosen, scores, texts, meaning)
        grades = np.array([judged.get(each, 0.0) for each in chosen], np.float32)
        found.append(JudgedQuery(text, corpus.asked(query), candidates, grades, [*judged.values()]))
        progress.advance()
    return found


def _vectors(live: LiveCollection, ids: list[int]) -> dict[int, Vector]:
    return {product_id: vector for batch in _batches(ids) for product_id, vector in text_vectors(live, batch).items()}


def titles_of(collection_slug: str) -> list[JudgedQuery]:
    """Queries that are titles of a collection's products, see `title_queries`.

    Args:
        collection_slug: one with an active version.

    Returns:
        The queries, of some thousand products at most; none where products have no text but their title.

    Raises:
        UnknownCollection: there is no such collection, or it has no active version.
    """
    live = live_collection(collection_slug)
    ids = sorted(_covered(live).values_list("pk", flat=True))
    chosen = sorted(random.Random(0).sample(ids, min(_TITLED, len(ids))))
    texts = {product_id: text for batch in _batches(chosen) for product_id, text in texts_of(batch).items()}
    return title_queries(texts, live.language)


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
