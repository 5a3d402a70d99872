"""Lexical search: exact codes, then BM25 and n-grams fused, from whatever index answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from embeddings.text.bm25 import CODES, GRAMS, WORDS, QueryText, grams_query, words_query
from embeddings.text.fusion import best_first, normalised_fusion
from embeddings.vector_index.base import SparseVector


class Ask(Protocol):
    """Asks the index."""

    def __call__(self, using: str, vector: SparseVector, among: Collection[int] | None = None) -> Mapping[int, float]:
        """Scores by product id for a sparse vector of SPARSE_VECTORS. among: the products that count; None: all."""


# What the n-grams of all words count beside BM25, measured by bench/text_relevance: from 0.1 to 0.3 within 0.003.
EVERY_WORD_WEIGHT = 0.1
# What n-grams find has to be so near to the best that they find: a product shares a few n-grams with every word.
LEAST_SHARE = 0.4
# And to the whole word: one of six n-grams is chance.
LEAST_SCORE = 0.2
# Above any fused score.
EXACT = 10.0


def lexical_scores(ask: Ask, query: QueryText, frequencies: Mapping[int, int]) -> dict[int, float]:
    """Rank products for a text.

    Scores of BM25 and of n-grams are scaled to 1 for the best and added (measured: bench/text_relevance).

    Args:
        ask: answers from the index.
        query: what was typed.
        frequencies: documents by term id, of `query.looked_up`.

    Returns:
        Scores by product id, best first, equal ones by ascending id. Exact codes come first, with 10 more than the others.
    """
    unknown = unknown_words(query, frequencies)
    share = len(unknown) / len(query.words) if query.words else 0.0
    by_words = ask(WORDS, words_query(query, frequencies))
    by_grams = _near_best(ask(GRAMS, grams_query(unknown, query, frequencies))) if unknown else {}
    # N-grams of words that products have only change the order: they are in most products, and looked up in those alone.
    found = by_words.keys() | by_grams.keys()
    every = ask(GRAMS, grams_query([*query.words.values()], query, frequencies), found) if found else {}
    scores = normalised_fusion([by_words, by_grams, every], [1 - share, share, EVERY_WORD_WEIGHT])
    if query.codes:
        exact = ask(CODES, SparseVector.of(dict.fromkeys(query.codes, 1.0)))
        scores |= {each: scores.get(each, 0.0) + EXACT for each in exact}
    return best_first(scores)


def unknown_words(query: QueryText, frequencies: Mapping[int, int]) -> Sequence[str]:
    """The words of a query that are looked for by their n-grams: those that no product has, and one that is unfinished.

    Args:
        query: what was typed.
        frequencies: documents by term id.

    Returns:
        Words, each once; without those of which products have a synonym.
    """
    unknown = [
        word
        for term, word in query.words.items()
        if not frequencies.get(term) and not any(frequencies.get(other) for other in query.synonyms.get(term, ()))
    ]
    return [*dict.fromkeys([*unknown, *([query.unfinished] if query.unfinished else [])])]


def _near_best(scores: Mapping[int, float]) -> dict[int, float]:
    least = max(LEAST_SCORE, LEAST_SHARE * max(scores.values(), default=0.0))
    return {each: score for each, score in scores.items() if score >= least}
