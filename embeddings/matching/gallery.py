"""Records that others are compared with, in memory: candidates by photo and by text, and the features of each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embeddings.matching.blocking import TextIndex
from embeddings.matching.features import FEATURES, Evidence, features_of
from embeddings.matching.records import Record

# So many candidates by photo, and as many by text.
CANDIDATES = 10


def _no_photos() -> NDArray[np.float32]:
    return np.empty((0, 0), np.float32)


@dataclass(frozen=True)
class Entry:
    """A record with its photos. vectors: float32 [photos, dim], of unit length."""

    record: Record
    vectors: NDArray[np.float32] = field(default_factory=_no_photos)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of a gallery that may be the same product, and what speaks for it. features: float64 [FEATURES]."""

    row: int
    evidence: Evidence
    features: NDArray[np.float64]


class Gallery:
    """Entries by row."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        """Index the entries.

        Args:
            entries: those with photos have vectors of one length.
        """
        self._entries = entries
        self._texts = TextIndex()
        self._texts.add(entry.record.tokens for entry in entries)
        owners = [row for row, entry in enumerate(entries) for _ in entry.vectors]
        self._owners = np.array(owners, dtype=np.int64)
        self._matrix = np.concatenate([entry.vectors for entry in entries if len(entry.vectors)]) if owners else None

    def candidates(self, entry: Entry, *, hidden: int | None = None, also: Collection[int] = ()) -> list[Candidate]:
        """The rows that may be the same product.

        Args:
            entry: what is looked for.
            hidden: a row that is none, as if it were not there.
            also: rows that are candidates, too, however far they are.

        Returns:
            Those nearest by photo and those nearest by text, by ascending row.
        """
        texts, photos = self._texts.cosines(entry.record.tokens), self._photos(entry)
        if hidden is not None:
            texts[hidden] = 0
            if photos is not None:
                photos[hidden] = -2
        rows = {int(row) for row in nearest(texts, CANDIDATES) if texts[row] > 0}
        if photos is not None:
            rows |= {int(row) for row in nearest(photos, CANDIDATES) if photos[row] > -1}
        rows |= {*also}
        known = {row: (self._photo(photos, row), float(texts[row])) for row in sorted(rows)}
        others = {row: self._entries[row].record for row in known}
        return [
            Candidate(row, evidence, features_of(entry.record, others[row], evidence, self._texts.idf))
            for row, evidence in evidence_of(known).items()
        ]

    def _photos(self, entry: Entry) -> NDArray[np.float32] | None:
        """float32 [rows], the highest cosine of two photos, -2 without; None: there is nothing to compare."""
        if self._matrix is None or not len(entry.vectors):
            return None
        best = (self._matrix @ entry.vectors.T).max(axis=1)
        photos = np.full(len(self._entries), -2.0, dtype=np.float32)
        np.maximum.at(photos, self._owners, best)
        return photos

    @staticmethod
    def _photo(photos: NDArray[np.float32] | None, row: int) -> float | None:
        return None if photos is None or photos[row] < -1.5 else float(photos[row])


def nearest(scores: NDArray[np.floating], limit: int) -> NDArray[np.int64]:
    """The rows of the highest scores, best first; equal ones by ascending row."""
    if len(scores) > limit:
        cut = np.partition(scores, -limit)[-limit]
        rows = np.flatnonzero(scores >= cut)
    else:
        rows = np.arange(len(scores))
    return rows[np.argsort(-scores[rows], kind="stable")][:limit]


def evidence_of(known: dict[int, tuple[float | None, float]]) -> dict[int, Evidence]:
    """The evidence of each candidate, with how far it leads the best other one.

    Args:
        known: cosines of photo (None: a side has none) and text, by candidate.

    Returns:
        The evidence, by candidate.
    """
    photos = {row: photo for row, (photo, _) in known.items() if photo is not None}
    texts = {row: text for row, (_, text) in known.items()}
    photo_leads, text_leads = _leads(photos), _leads(texts)
    return {row: Evidence(photo, photo_leads.get(row), text, text_leads[row]) for row, (photo, text) in known.items()}


def _leads(scores: dict[int, float]) -> dict[int, float]:
    ordered = sorted(scores.values(), reverse=True)
    first = ordered[0] if ordered else 0.0
    second = ordered[1] if len(ordered) > 1 else 0.0
    return {row: score - (second if score == first else first) for row, score in scores.items()}


def feature_rows(candidates: Iterable[Candidate]) -> NDArray[np.float64]:
    """float64 [candidates, FEATURES]."""
    rows = [candidate.features for candidate in candidates]
    return np.stack(rows) if rows else np.empty((0, len(FEATURES)))
