"""The text search of some known queries in memory: for training and measuring, beside the process that holds the index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from itertools import islice

from embeddings.ranking.candidates import Asked
from embeddings.text.bm25 import WORDS, ProductText, QueryText, documents_of, words_query
from embeddings.text.ranking import hybrid_scores, lexical_scores
from embeddings.vector_index.base import SparseVector

# Texts whose vectors are made at once.
_BATCH = 1000


class Corpus:
    """The words of texts that some queries ask for."""

    def __init__(self, queries: Iterable[QueryText], language: str, lengths: Mapping[str, float]) -> None:
        """Queries that are asked afterwards; language: a key of LANGUAGES; lengths: mean lengths of the fields."""
        queries = list(queries)
        self._language, self._lengths = language, lengths
        self._asked = {each for query in queries for each in (*query.looked_up, *query.codes)}
        self._postings: defaultdict[tuple[str, int], dict[int, float]] = defaultdict(dict)
        self._frequencies: Counter[int] = Counter()

    def add(self, texts: Mapping[int, ProductText]) -> None:
        """Add texts.

        Args:
            texts: by the number of their product, each once.
        """
        remaining = iter(texts.items())
        while batch := dict(islice(remaining, _BATCH)):
            documents = documents_of(batch.values(), self._language, self._lengths)
            for number, document in zip(batch, documents, strict=True):
                self._frequencies.update(document.terms & self._asked)
                for using, vector in document.vectors.items():
                    for term, weight in zip(vector.indices, vector.values, strict=True):
                        if term in self._asked:
                            self._postings[using, int(term)][number] = float(weight)

    def asked(self, query: QueryText) -> Asked:
        """A query as rankers see it. query: one of those from the beginning."""
        return Asked(query, self._language, self._frequencies, self._lengths)

    def search(self, query: QueryText, limit: int, cosines: Mapping[int, float] | None = None) -> dict[int, float]:
        """Rank the texts.

        Args:
            query: one of those from the beginning.
            limit: how many of each kind of word are found at most.
            cosines: of the texts with the query by a text encoder; None for words alone.

        Returns:
            Scores by number, best first, as a search of the index gives them.
        """

        def ask(using: str, vector: SparseVector, among: Collection[int] | None = None) -> dict[int, float]:
            return self._found(limit, using, vector, among)

        if cosines is None:
            return lexical_scores(ask, query, self._frequencies)
        nearest = dict(sorted(cosines.items(), key=lambda each: (-each[1], each[0]))[:limit])

        def ask_meaning(among: Collection[int] | None = None) -> dict[int, float]:
            return nearest if among is None else {each: cosines[each] for each in among if each in cosines}

        return hybrid_scores(ask, ask_meaning, query, self._frequencies)

    def by_words(self, query: QueryText, limit: int) -> dict[int, float]:
        """Rank the texts by BM25 alone, as `search`."""
        return self._found(limit, WORDS, words_query(query, self._frequencies))

    def _found(
        self, limit: int, using: str, vector: SparseVector, among: Collection[int] | None = None
    ) -> dict[int, float]:
        scores: Counter[int] = Counter()
        for term, weight in zip(vector.indices, vector.values, strict=True):
            for number, count in self._postings.get((using, int(term)), {}).items():
                if among is None or number in among:
                    scores[number] += float(weight) * count  # type: ignore[assignment]  # a Counter adds floats as well
        return dict(sorted(scores.items(), key=lambda each: (-each[1], each[0]))[:limit])
