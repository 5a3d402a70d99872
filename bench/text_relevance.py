"""How good text retrieval is: nDCG@10 on graded product searches and two classic collections, by the embedded engine.

Usage: REAL_DATA=... python -m bench.text_relevance
"typed wrong": one letter of the longest word of each query is left out, doubled or swapped with the next, by a fixed seed.
"words": BM25 alone. "search": as the shop searches without a text encoder. "meaning": by the text encoder's vectors alone.
"search + meaning": as the shop searches with it, words and meaning equal; beside it other weights, reciprocal ranks, and the
weight that is best on nine tenths of a collection's queries, judged on the tenth (ten parts by a fixed seed).
The others fuse BM25 with the n-grams of the words that no document has, or of every word: by reciprocal ranks, or by scores of
which the highest of each ranking is 1.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import ir_measures
import numpy as np

from bench.tables import publish, real_data
from bench.text_collections import TextCollection, read_all
from embeddings.encoders.text import TextEncoder
from embeddings.text.bm25 import (
    GRAMS,
    SPARSE_VECTORS,
    WORDS,
    QueryText,
    documents_of,
    field_lengths,
    grams_query,
    mean_lengths,
    words_query,
)
from embeddings.text.fusion import best_first, normalised_fusion
from embeddings.text.queries import query_of
from embeddings.text.ranking import MEANING_WEIGHT, hybrid_scores, lexical_scores, unknown_words
from embeddings.text.synonyms import colour_synonyms
from embeddings.vector_index.base import (
    UNFILTERED,
    Filter,
    IndexCollection,
    Point,
    SparseQuery,
    SparseVector,
    VectorQuery,
)
from embeddings.vector_index.edge import EdgeVectorIndex

LANGUAGE = "en"
SEED = 7
CANDIDATES = 100
WEIGHTS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
PARTS = 10
# Of reciprocal rank fusion, as in its paper.
RANK_CONSTANT = 60
Scores = Mapping[int, float]


class Asked(NamedTuple):
    """A query as it is typed, and analysed."""

    text: str
    query: QueryText


Rank = Callable[[Asked], Scores]


class SearchedCollection:
    """A text collection in the embedded engine."""

    def __init__(self, collection: TextCollection, index: EdgeVectorIndex, encoder: TextEncoder) -> None:
        """Index the documents."""
        self.collection, self._index = collection, index
        self._vector = cache(lambda text: encoder.encode([text])[0])
        self._name = collection.name.lower()
        self.frequencies: Counter[int] = Counter()
        lengths = mean_lengths(field_lengths(text, LANGUAGE) for text in collection.documents.values())
        all_ = documents_of(collection.documents.values(), LANGUAGE, lengths)
        documents = dict(zip(collection.documents, all_, strict=True))
        for document in documents.values():
            self.frequencies.update(document.terms)
        started = time.perf_counter()
        vectors = encoder.encode([text.whole for text in collection.documents.values()])
        self.ms_a_document = 1000 * (time.perf_counter() - started) / len(documents)
        index.ensure(IndexCollection(self._name, encoder.dim, sparse=SPARSE_VECTORS))
        points = [
            Point(number, vector, {"product_id": number}, each.vectors)
            for (number, each), vector in zip(documents.items(), vectors, strict=True)
        ]
        index.upsert(self._name, points)

    def asked(self, text: str) -> Asked:
        """A query, analysed."""
        return Asked(text, query_of(text, LANGUAGE, colour_synonyms(LANGUAGE)))

    def words(self, asked: Asked) -> Scores:
        """The ranking by BM25."""
        return self._found(WORDS, words_query(asked.query, self.frequencies))

    def grams(self, asked: Asked, words: Sequence[str]) -> Scores:
        """The ranking by the n-grams of some words."""
        return self._found(GRAMS, grams_query(words, asked.query, self.frequencies))

    def search(self, asked: Asked) -> Scores:
        """The ranking of a shop's search."""
        return lexical_scores(self._found, asked.query, self.frequencies)

    def meaning(self, asked: Asked, among: Collection[int] | None = None) -> Scores:
        """The ranking by the text encoder."""
        chosen = UNFILTERED if among is None else Filter(match_any={"product_id": [*among]})
        limit = CANDIDATES if among is None else len(among)
        query = VectorQuery(positive=[self._vector(asked.text)], filter=chosen, limit=limit)
        return {hit.id: hit.score for hit in self._index.query(self._name, query)}

    def hybrid(self, asked: Asked, weight: float = MEANING_WEIGHT) -> Scores:
        """The ranking of a shop's search with a text encoder."""
        return hybrid_scores(
            self._found, lambda among=None: self.meaning(asked, among), asked.query, self.frequencies, weight
        )

    def unknown(self, asked: Asked) -> Sequence[str]:
        """The words that no document has."""
        return unknown_words(asked.query, self.frequencies)

    def ndcg(self, rank: Rank, *, typed_wrong: bool = False) -> tuple[float, float]:
        """Mean nDCG@10, and milliseconds of a query."""
        started = time.perf_counter()
        gains = self.ndcg_by_query(rank, typed_wrong=typed_wrong)
        elapsed = time.perf_counter() - started
        return float(np.mean([*gains.values()])), 1000 * elapsed / len(gains)

    def ndcg_by_query(self, rank: Rank, *, typed_wrong: bool = False) -> dict[str, float]:
        """nDCG@10 of each query."""
        generator = random.Random(SEED)
        run = []
        for query_id, text in self.collection.queries.items():
            found = rank(self.asked(typing_error(text, generator) if typed_wrong else text))
            run += [ir_measures.ScoredDoc(query_id, str(each), -place) for place, each in enumerate(found)]
        judged = [
            ir_measures.Qrel(query_id, str(document), int(gain))
            for query_id, gains in self.collection.judgements.items()
            for document, gain in gains.items()
        ]
        gains = {each.query_id: each.value for each in ir_measures.iter_calc([ir_measures.nDCG @ 10], judged, run)}
        return {query_id: gains.get(query_id, 0.0) for query_id in self.collection.queries}

    def ndcg_with_fitted_weight(self) -> float:
        """Mean nDCG@10 of queries of which the weight of the meaning was not chosen."""
        by_weight = np.array(
            [
                [*self.ndcg_by_query(lambda asked, weight=weight: self.hybrid(asked, weight)).values()]  # type: ignore[misc]
                for weight in WEIGHTS
            ]
        )
        part = np.random.default_rng(SEED).permutation(by_weight.shape[1]) % PARTS
        chosen = [by_weight[:, part != each].mean(axis=1).argmax() for each in range(PARTS)]
        return float(np.mean([by_weight[chosen[each], query] for query, each in enumerate(part)]))

    def _found(self, using: str, vector: SparseVector, among: Collection[int] | None = None) -> dict[int, float]:
        chosen = UNFILTERED if among is None else Filter(match_any={"product_id": [*among]})
        hits = self._index.query_sparse(self._name, SparseQuery(using, vector, chosen, CANDIDATES))
        return {hit.id: hit.score for hit in hits}


def typing_error(text: str, generator: random.Random) -> str:
    """A text with one error in its longest word, behind its first letter."""
    words = text.split()
    longest = max(range(len(words)), key=lambda position: len(words[position]))
    word = words[longest]
    if len(word) < 4:
        return text
    place = generator.randrange(1, len(word) - 1)
    wrong = [
        word[:place] + word[place + 1 :],
        word[:place] + word[place] + word[place:],
        word[:place] + word[place + 1] + word[place] + word[place + 2 :],
    ]
    words[longest] = generator.choice(wrong)
    return " ".join(words)


def main() -> None:
    """Measure, print and save the results."""
    collections = read_all(real_data())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        encoder = exported_encoder(Path(folder))
        index = EdgeVectorIndex(Path(folder) / "index")
        for collection in collections:
            searched = SearchedCollection(collection, index, encoder)
            print(f"{collection.name}: {searched.ms_a_document:.1f} ms to encode a document")
            fitted = searched.ndcg_with_fitted_weight()
            about = {
                "collection": collection.name,
                "documents": len(collection.documents),
                "queries": len(collection.queries),
            }
            rows.append({**about, "ranking": "search + meaning, weight fitted on other queries", "nDCG@10": fitted})
            for name, rank in _rankings(searched).items():
                right, ms = searched.ndcg(rank)
                wrong, _ = searched.ndcg(rank, typed_wrong=True)
                rows.append(
                    {
                        **about,
                        "ranking": name,
                        "nDCG@10": right,
                        "typed wrong": wrong,
                        "ms a query": ms,
                    }
                )
        index.close()
    publish("text_relevance", rows)


def exported_encoder(folder: Path) -> TextEncoder:
    """The text encoder, exported into a folder below this one."""
    from training import minilm

    place = folder / "encoder"
    place.mkdir()
    figures = minilm.export(place)
    print(f"text encoder: cosine to float32 {figures['mean']:.4f}, lowest {figures['lowest']:.4f}")
    return TextEncoder(place)


def reciprocal_rank_fusion(rankings: Sequence[Sequence[int]]) -> Scores:
    """Fuse rankings, ids best first, by the reciprocal of the ranks (Cormack, Clarke and Buettcher, 2009)."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, each in enumerate(ranking, 1):
            scores[each] = scores.get(each, 0.0) + 1 / (RANK_CONSTANT + rank)
    return best_first(scores)


def _rankings(searched: SearchedCollection) -> dict[str, Rank]:
    def fused(fuse: Callable[[Sequence[Scores]], Scores], words: Callable[[Asked], Sequence[str]]) -> Rank:
        return lambda asked: fuse([searched.words(asked), searched.grams(asked, words(asked))])

    def ranks(scored: Sequence[Scores]) -> Scores:
        return reciprocal_rank_fusion([[*each] for each in scored])

    def every(asked: Asked) -> Sequence[str]:
        return [*asked.query.words.values()]

    return {
        "words": searched.words,
        "search": searched.search,
        "meaning": searched.meaning,
        "search + meaning": searched.hybrid,
        "search + meaning, reciprocal ranks": lambda asked: ranks([searched.search(asked), searched.meaning(asked)]),
        **{
            f"search + meaning, weight {weight}": lambda asked, weight=weight: searched.hybrid(asked, weight)  # type: ignore[misc]
            for weight in WEIGHTS
            if weight != MEANING_WEIGHT
        },
        "unknown words, reciprocal ranks": fused(ranks, searched.unknown),
        "unknown words, scores": fused(normalised_fusion, searched.unknown),
        "every word, reciprocal ranks": fused(ranks, every),
        "every word, scores": fused(normalised_fusion, every),
    }


if __name__ == "__main__":
    main()
