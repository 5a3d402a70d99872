"""Query-centric contexts: the windows of words round each match of a query's term (Pang et al., 2017, arXiv 1710.05649)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embeddings.ranking.candidates import Asked, Candidate, analysed
from embeddings.ranking.words import WordTable

# Words at each side of a match.
AROUND = 5
WINDOW = 2 * AROUND + 1
# Matches of one term in one text.
MAX_CONTEXTS = 20
# Terms of a query, those with the highest inverse document frequency.
MAX_TERMS = 12


@dataclass(frozen=True, slots=True)
class Contexts:
    """The contexts of one query in some texts.

    Attributes:
        query: float32 [MAX_TERMS, dim]: word vectors of the terms, zeros behind them.
        gates: float32 [MAX_TERMS]: inverse document frequencies of the terms, zeros behind them.
        windows: int32 [contexts, WINDOW]: rows of the vocabulary.
        document: int32 [contexts]: which of the texts.
        term: int32 [contexts]: which term.
        place: int32 [contexts]: the how manieth match of its term in its text, from 0.
        position: float32 [contexts]: 1 at the beginning of a text, towards 0 at its end.
        lexical: float32 [texts]: score of the text search, in parts of the best.
    """

    query: NDArray[np.float32]
    gates: NDArray[np.float32]
    windows: NDArray[np.int32]
    document: NDArray[np.int32]
    term: NDArray[np.int32]
    place: NDArray[np.int32]
    position: NDArray[np.float32]
    lexical: NDArray[np.float32]


class Vocabulary:
    """The words of some texts, numbered from 1; 0 is what lies outside of a text."""

    def __init__(self, table: WordTable) -> None:
        """table: of word vectors."""
        self.table = table
        self._rows: dict[str, int] = {}

    def row(self, word: str) -> int:
        """The number of a word, which is added where it is new."""
        return self._rows.setdefault(word, len(self._rows) + 1)

    def vectors(self) -> NDArray[np.float32]:
        """float32 [words + 1, dim]: the word vector of each number; zeros for 0."""
        return np.concatenate([np.zeros((1, self.table.dim), np.float32), self.table.vectors(self._rows)])


def contexts_of(asked: Asked, candidates: Sequence[Candidate], vocabulary: Vocabulary) -> Contexts:
    """Find the contexts of a query.

    Args:
        asked: the query.
        candidates: the texts.
        vocabulary: gets the words of the texts.

    Returns:
        The contexts, text by text in their order.
    """
    chosen = sorted(asked.terms, key=lambda term: -term.idf)[:MAX_TERMS]
    slots = {each: slot for slot, term in enumerate(chosen) for each in term.ids}
    table = vocabulary.table
    windows: list[list[int]] = []
    found: list[tuple[int, int, int, float]] = []
    for document, candidate in enumerate(candidates):
        fields = analysed(candidate.text, asked.language).values()
        words = [word for each in fields for word in each.words]
        ids = [each for some in fields for each in some.ids]
        rows: list[int] = []
        seen: Counter[int] = Counter()
        for position, each in enumerate(ids):
            slot = slots.get(each)
            if slot is None or seen[slot] >= MAX_CONTEXTS:
                continue
            if not rows:
                padding = [0] * AROUND
                rows = [*padding, *map(vocabulary.row, words), *padding]
            windows.append(rows[position : position + WINDOW])
            found.append((document, slot, seen[slot], 1 / (1 + position / WINDOW)))
            seen[slot] += 1
    query, gates = np.zeros((MAX_TERMS, table.dim), np.float32), np.zeros(MAX_TERMS, np.float32)
    query[: len(chosen)] = table.vectors(term.word for term in chosen)
    gates[: len(chosen)] = [term.idf for term in chosen]
    best = max((candidate.score for candidate in candidates), default=0.0) or 1.0
    document_of, term_of, place_of, position_of = zip(*found, strict=True) if found else ((), (), (), ())
    return Contexts(
        query,
        gates,
        np.array(windows, np.int32).reshape(-1, WINDOW),
        np.array(document_of, np.int32),
        np.array(term_of, np.int32),
        np.array(place_of, np.int32),
        np.array(position_of, np.float32),
        np.array([candidate.score / best for candidate in candidates], np.float32),
    )
