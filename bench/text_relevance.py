"""How good text retrieval is: nDCG@10 on graded product searches and two classic collections, by the embedded engine.

Usage: REAL_DATA=... python -m bench.text_relevance
"typed wrong": one letter of the longest word of each query is left out, doubled or swapped with the next, by a fixed seed.
"words": BM25 alone. "search": as the shop searches. The others fuse BM25 with the n-grams of the words that no document has, or of
every word: by reciprocal ranks, or by scores of which the highest of each ranking is 1.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

import ir_measures

from bench.tables import publish, real_data
from bench.text_collections import TextCollection, read_all
from embeddings.text.bm25 import (
    GRAMS,
    SPARSE_VECTORS,
    WORDS,
    QueryText,
    document_of,
    field_lengths,
    grams_query,
    mean_lengths,
    words_query,
)
from embeddings.text.fusion import normalised_fusion, reciprocal_rank_fusion
from embeddings.text.queries import query_of
from embeddings.text.ranking import lexical_scores, unknown_words
from embeddings.vector_index.base import (
    NO_VECTOR,
    UNFILTERED,
    Filter,
    IndexCollection,
    Point,
    SparseQuery,
    SparseVector,
)
from embeddings.vector_index.edge import EdgeVectorIndex

LANGUAGE = "en"
SEED = 7
CANDIDATES = 100
Scores = Mapping[int, float]


class SearchedCollection:
    """A text collection in the embedded engine."""

    def __init__(self, collection: TextCollection, index: EdgeVectorIndex) -> None:
        """Index the documents."""
        self.collection, self._index = collection, index
        self._name = collection.name.lower()
        self.frequencies: Counter[int] = Counter()
        lengths = mean_lengths(field_lengths(text, LANGUAGE) for text in collection.documents.values())
        documents = {number: document_of(text, LANGUAGE, lengths) for number, text in collection.documents.items()}
        for document in documents.values():
            self.frequencies.update(document.terms)
        index.ensure(IndexCollection(self._name, 0, sparse=SPARSE_VECTORS))
        points = [Point(number, NO_VECTOR, {"product_id": number}, each.vectors) for number, each in documents.items()]
        index.upsert(self._name, points)

    def query(self, text: str) -> QueryText:
        """A query, analysed."""
        return query_of(text, LANGUAGE, {})

    def words(self, query: QueryText) -> Scores:
        """The ranking by BM25."""
        return self._found(WORDS, words_query(query, self.frequencies))

    def grams(self, query: QueryText, words: Sequence[str]) -> Scores:
        """The ranking by the n-grams of some words."""
        return self._found(GRAMS, grams_query(words, query, self.frequencies))

    def search(self, query: QueryText) -> Scores:
        """The ranking of a shop's search."""
        return lexical_scores(self._found, query, self.frequencies)

    def unknown(self, query: QueryText) -> Sequence[str]:
        """The words that no document has."""
        return unknown_words(query, self.frequencies)

    def ndcg(self, rank: Callable[[QueryText], Scores], *, typed_wrong: bool = False) -> tuple[float, float]:
        """Mean nDCG@10, and milliseconds of a query."""
        generator = random.Random(SEED)
        run, started = [], time.perf_counter()
        for query_id, text in self.collection.queries.items():
            found = rank(self.query(typing_error(text, generator) if typed_wrong else text))
            run += [ir_measures.ScoredDoc(query_id, str(each), -place) for place, each in enumerate(found)]
        elapsed = time.perf_counter() - started
        judged = [
            ir_measures.Qrel(query_id, str(document), int(gain))
            for query_id, gains in self.collection.judgements.items()
            for document, gain in gains.items()
        ]
        measure = ir_measures.nDCG @ 10
        mean = float(ir_measures.calc_aggregate([measure], judged, run)[measure])
        return mean, 1000 * elapsed / len(self.collection.queries)

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
        index = EdgeVectorIndex(folder)
        for collection in collections:
            searched = SearchedCollection(collection, index)
            for name, rank in _rankings(searched).items():
                right, ms = searched.ndcg(rank)
                wrong, _ = searched.ndcg(rank, typed_wrong=True)
                rows.append(
                    {
                        "collection": collection.name,
                        "ranking": name,
                        "documents": len(collection.documents),
                        "queries": len(collection.queries),
                        "nDCG@10": right,
                        "typed wrong": wrong,
                        "ms a query": ms,
                    }
                )
        index.close()
    publish("text_relevance", rows)


def _rankings(searched: SearchedCollection) -> dict[str, Callable[[QueryText], Scores]]:
    def fused(
        fuse: Callable[[Sequence[Scores]], Scores], words: Callable[[QueryText], Sequence[str]]
    ) -> Callable[[QueryText], Scores]:
        return lambda query: fuse([searched.words(query), searched.grams(query, words(query))])

    def ranks(scored: Sequence[Scores]) -> Scores:
        return reciprocal_rank_fusion([[*each] for each in scored])

    def every(query: QueryText) -> Sequence[str]:
        return [*query.words.values()]

    return {
        "words": searched.words,
        "search": searched.search,
        "unknown words, reciprocal ranks": fused(ranks, searched.unknown),
        "unknown words, scores": fused(normalised_fusion, searched.unknown),
        "every word, reciprocal ranks": fused(ranks, every),
        "every word, scores": fused(normalised_fusion, every),
    }


if __name__ == "__main__":
    main()
