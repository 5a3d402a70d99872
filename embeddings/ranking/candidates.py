"""What a ranker sees: a query, and the texts of the products that the text search found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.text.analysis import EVERY_DOCUMENT, split_words, term_id, term_of
from embeddings.text.bm25 import FIELD_WEIGHTS, ProductText, QueryText, inverse_document_frequency

# So many of the best of the text search are put in a new order.
RERANKED = 50


@dataclass(frozen=True, slots=True)
class Term:
    """A term that was typed.

    Attributes:
        word: as it was typed.
        ids: of the term, and of its synonyms.
        idf: inverse document frequency.
    """

    word: str
    ids: frozenset[int]
    idf: float


@dataclass(frozen=True)
class Asked:
    """A query as rankers see it.

    Attributes:
        query: analysed.
        language: a key of LANGUAGES.
        frequencies: documents by term id, of `query.looked_up`.
        lengths: mean lengths of the fields.
    """

    query: QueryText
    language: str
    frequencies: Mapping[int, int]
    lengths: Mapping[str, float]

    @cached_property
    def terms(self) -> list[Term]:
        """The terms that were typed, in their order."""
        total = self.frequencies.get(EVERY_DOCUMENT, 0)
        return [
            Term(
                word,
                frozenset({term, *self.query.synonyms.get(term, ())}),
                inverse_document_frequency(self.frequencies.get(term, 0), total),
            )
            for term, word in self.query.words.items()
        ]


@dataclass(frozen=True)
class Candidate:
    """A product that the text search found.

    Attributes:
        text: of the product.
        score: of the text search.
        signals: what else is known of it, by the names of `features.SIGNALS`; what is not known is left out.
    """

    text: ProductText
    score: float
    signals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnalysedField:
    """Words of a field without stop words, and the ids of their terms."""

    words: Sequence[str]
    ids: Sequence[int]


def analysed(text: ProductText, language: str) -> dict[str, AnalysedField]:
    """The words of a product.

    Args:
        text: of the product.
        language: a key of LANGUAGES.

    Returns:
        By the names of FIELD_WEIGHTS.
    """
    fields = {}
    for name in FIELD_WEIGHTS:
        kept = [(word, term) for word in split_words(text.fields.get(name, "")) if (term := term_of(word, language))]
        fields[name] = AnalysedField([word for word, _ in kept], [term_id(term, language) for _, term in kept])
    return fields


@dataclass(frozen=True)
class JudgedQuery:
    """A query with judgements, to train and to measure rankers.

    Attributes:
        text: as it was judged.
        asked: as rankers see it.
        candidates: what the text search found, best first, RERANKED at most.
        grades: float32 [candidates]; 0 for what was not judged.
        judged: grades of all judged products, also of those that are no candidates.
    """

    text: str
    asked: Asked
    candidates: Sequence[Candidate]
    grades: NDArray[np.float32]
    judged: Sequence[float]


class Ranker(Protocol):
    """Scores candidates; higher is better."""

    def scores(self, asked: Asked, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """float32 [candidates]: comparable within one query alone."""
