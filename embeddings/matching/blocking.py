"""Candidates by text: which records are worth comparing, without comparing all.

Words and character trigrams of titles are weighed by their inverse document frequency. Trigrams keep words that are misspelt or
cut; a title that was put in another order has the same ones.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

# A gram in more than this part of the records says next to nothing, and causes most of the work.
_COMMON, _COMMON_FROM = 0.2, 200
_GRAM = 3
_WORD_WEIGHT = 2.0


def grams(tokens: Sequence[str]) -> dict[str, float]:
    """Words and character trigrams of tokens, words twice as heavy.

    Args:
        tokens: words of a title.

    Returns:
        Weights by gram; a word begins with a space, so that it is no trigram.
    """
    found: defaultdict[str, float] = defaultdict(float)
    for token in tokens:
        found[f" {token}"] += _WORD_WEIGHT
        padded = f"_{token}_"
        for start in range(len(padded) - _GRAM + 1):
            found[padded[start : start + _GRAM]] += 1
    return found


class TextIndex:
    """An inverted index of grams over numbered rows, to which rows are added. Not for several threads at once."""

    def __init__(self) -> None:
        """Begin empty."""
        self._postings: defaultdict[str, array[int]] = defaultdict(lambda: array("I"))
        self._weights: defaultdict[str, array[float]] = defaultdict(lambda: array("f"))
        self._lengths = array("f")

    def __len__(self) -> int:
        return len(self._lengths)

    def add(self, rows: Iterable[Sequence[str]]) -> None:
        """Append rows.

        Args:
            rows: words of each title.
        """
        first = len(self._lengths)
        for row, tokens in enumerate(rows, first):
            for gram, weight in grams(tokens).items():
                self._postings[gram].append(row)
                self._weights[gram].append(weight)
            self._lengths.append(0.0)
        self._measure(first)

    def _measure(self, first: int) -> None:
        """The lengths of the vectors from a row on, by document frequencies as they are now."""
        if first == len(self):
            return
        squares = np.zeros(len(self) - first)
        for gram, postings in self._postings.items():
            if postings[-1] < first:
                continue
            rows = np.frombuffer(postings, np.uint32).astype(np.int64) - first
            new = rows >= 0
            weights = np.frombuffer(self._weights[gram], np.float32)[new] * self.idf(gram)
            squares[rows[new]] += weights**2  # a row is at most once among the postings of a gram
        self._lengths[first:] = array("f", np.sqrt(squares).tolist())

    def frequency(self, gram: str) -> int:
        """How many rows have a gram."""
        postings = self._postings.get(gram)
        return 0 if postings is None else len(postings)

    def idf(self, gram: str) -> float:
        """Inverse document frequency, smoothed."""
        return math.log(1 + (len(self) + 0.5) / (self.frequency(gram) + 0.5))

    def cosines(self, tokens: Sequence[str]) -> NDArray[np.float64]:
        """How alike a title and each row are.

        Args:
            tokens: words of the title.

        Returns:
            float64 [rows], cosines of the weighted grams, 0 to 1.
        """
        scores, own = self._scores(grams(tokens))
        if own == 0:
            return scores
        lengths = np.frombuffer(self._lengths, np.float32)
        return np.minimum(scores / (own * np.maximum(lengths, 1e-9)), 1.0)

    def _scores(self, found: Mapping[str, float]) -> tuple[NDArray[np.float64], float]:
        scores = np.zeros(len(self))
        own = 0.0
        skipped: list[str] = []
        for gram, weight in found.items():
            idf = self.idf(gram)
            own += (weight * idf) ** 2
            if len(self) >= _COMMON_FROM and self.frequency(gram) > _COMMON * len(self):
                skipped.append(gram)
            else:
                self._accumulate(scores, gram, weight * idf * idf)
        if not scores.any():  # nothing but common grams
            for gram in skipped:
                self._accumulate(scores, gram, found[gram] * self.idf(gram) ** 2)
        return scores, math.sqrt(own)

    def _accumulate(self, scores: NDArray[np.float64], gram: str, weight: float) -> None:
        if (postings := self._postings.get(gram)) is not None:
            # A row is at most once among the postings of a gram.
            scores[np.frombuffer(postings, np.uint32)] += weight * np.frombuffer(self._weights[gram], np.float32)
