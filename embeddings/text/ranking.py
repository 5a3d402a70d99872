"""Search by words: exact codes, then BM25 and n-grams fused, and the meaning with them; from whatever index answers."""

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


class AskMeaning(Protocol):
    """Asks the index by the text encoder's vector of the query."""

    def __call__(self, among: Collection[int] | None = None) -> Mapping[int, float]:
        """Cosines by product id. among: the products that count; None: the nearest of all."""


# What the n-grams of all words count beside BM25, measured by bench/text_relevance: from 0.1 to 0.3 within 0.003.
EVERY_WORD_WEIGHT = 0.1
# What n-grams find has to be so near to the best that they find: a product shares a few n-grams with every word.
LEAST_SHARE = 0.4
# And to the whole word: one of six n-grams is chance.
LEAST_SCORE = 0.2
# Shorter words that no product has are not looked for by their n-grams, which are in the middle of others: "red" in "tapered". With
# an error, those of 3 letters are found half as often as long ones (bench/short_words).
LEAST_LETTERS = 4
# Above any fused score.
EXACT = 10.0
# Words and meaning count the same: no weight was fitted to judged queries. bench/text_relevance measures others, too.
MEANING_WEIGHT = 0.5
# A product without any of the words has to be so near in meaning: to the query, and beside the nearest of all. Unrelated texts have
# cosines up to 0.3.
LEAST_COSINE = 0.35
LEAST_COSINE_SHARE = 0.6


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
    return _exact_first(ask, query, _word_scores(ask, query, frequencies))


def hybrid_scores(
    ask: Ask,
    ask_meaning: AskMeaning,
    query: QueryText,
    frequencies: Mapping[int, int],
    meaning_weight: float = MEANING_WEIGHT,
) -> dict[int, float]:
    """Rank products for a text by its words and by what it means.

    The scores of `lexical_scores` and the cosines are scaled to 1 for the best and added by weight (measured:
    bench/text_relevance). Products that words find always have both.

    Args:
        ask: answers from the index.
        ask_meaning: answers from the index, by the query's vector.
        query: what was typed.
        frequencies: documents by term id, of `query.looked_up`.
        meaning_weight: what the meaning counts, 0 to 1; the words count the rest.

    Returns:
        Scores by product id, best first, equal ones by ascending id. Exact codes come first, with 10 more than the others.
    """
    words = _word_scores(ask, query, frequencies)
    nearest = ask_meaning()
    least = max(LEAST_COSINE, LEAST_COSINE_SHARE * max(nearest.values(), default=0.0))
    cosines = {each: cosine for each, cosine in nearest.items() if cosine >= least or each in words}
    if unseen := words.keys() - cosines.keys():
        cosines |= ask_meaning(unseen)
    cosines = {each: cosine for each, cosine in cosines.items() if cosine > 0}
    fused = normalised_fusion([words, cosines], [1 - meaning_weight, meaning_weight])
    return _exact_first(ask, query, fused)


def unknown_words(query: QueryText, frequencies: Mapping[int, int]) -> Sequence[str]:
    """The words of a query that are looked for by their n-grams: those that no product has, and one that is unfinished.

    Args:
        query: what was typed.
        frequencies: documents by term id.

    Returns:
        Words, each once; without those of which products have a synonym, and those of fewer than LEAST_LETTERS.
    """
    unknown = [
        word
        for term, word in query.words.items()
        if len(word) >= LEAST_LETTERS
        and not frequencies.get(term)
        and not any(frequencies.get(other) for other in query.synonyms.get(term, ()))
    ]
    return [*dict.fromkeys([*unknown, *([query.unfinished] if query.unfinished else [])])]


def _word_scores(ask: Ask, query: QueryText, frequencies: Mapping[int, int]) -> dict[int, float]:
    unknown = unknown_words(query, frequencies)
    share = len(unknown) / len(query.words) if query.words else 0.0
    by_words = ask(WORDS, words_query(query, frequencies))
    by_grams = _near_best(ask(GRAMS, grams_query(unknown, query, frequencies))) if unknown else {}
    if by_grams and unknown == [query.unfinished] and len(query.unfinished) < LEAST_LETTERS:
        # One of its n-grams says where it is: at the beginning of another word.
        beginning = SparseVector.of({query.gram_ids[query.unfinished][0]: 1.0})
        begun = ask(GRAMS, beginning, by_grams.keys())
        by_grams = {each: score for each, score in by_grams.items() if each in begun}
    # N-grams of words that products have only change the order: they are in most products, and looked up in those alone.
    found = by_words.keys() | by_grams.keys()
    spelt = [word for term, word in query.words.items() if len(word) >= LEAST_LETTERS or frequencies.get(term)]
    every = ask(GRAMS, grams_query(spelt, query, frequencies), found) if found and spelt else {}
    return normalised_fusion([by_words, by_grams, every], [1 - share, share, EVERY_WORD_WEIGHT])


def _exact_first(ask: Ask, query: QueryText, scores: Mapping[int, float]) -> dict[int, float]:
    scores = dict(scores)
    if query.codes:
        exact = ask(CODES, SparseVector.of(dict.fromkeys(query.codes, 1.0)))
        scores |= {each: scores.get(each, 0.0) + EXACT for each in exact}
    return best_first(scores)


def _near_best(scores: Mapping[int, float]) -> dict[int, float]:
    least = max(LEAST_SCORE, LEAST_SHARE * max(scores.values(), default=0.0))
    return {each: score for each, score in scores.items() if score >= least}
