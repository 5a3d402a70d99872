"""The frozen word vectors that rankers compare words by: those of a text encoder's word table, projected once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import RankerUnavailable
from embeddings.text.analysis import without_accents

# Of the table that a ranker keeps; the paper's word vectors have as many.
DIM = 50
_CONTINUED = "##"
_CACHED_WORDS = 50_000


class WordTable:
    """Vectors of words: the mean of the rows of a word's pieces, of unit length."""

    def __init__(self, pieces: Sequence[str], rows: NDArray[np.floating[Any]]) -> None:
        """Pieces of a WordPiece vocabulary, and float [pieces, dim], a row of each."""
        self._places = {piece: place for place, piece in enumerate(pieces)}
        self._pieces, self._rows = pieces, rows
        self._longest = max(map(len, pieces), default=0)
        self._known: dict[str, NDArray[np.float32]] = {}

    @property
    def dim(self) -> int:
        """Length of a vector."""
        return int(self._rows.shape[1])

    def vectors(self, words: Iterable[str]) -> NDArray[np.float32]:
        """The vectors of words.

        Args:
            words: from `split_words`.

        Returns:
            float32 [words, dim], each of unit length; zeros for a word of which no piece is known.
        """
        found = [self._vector(word) for word in words]
        return np.stack(found) if found else np.empty((0, self.dim), np.float32)

    def pieces_of(self, word: str) -> list[str]:
        """The pieces of a word, the longest that fits first (Wu et al., 2016); none where a part of it is in no piece."""
        rest, found, prefix = without_accents(word), [], ""
        while rest:
            ends = range(min(len(rest), self._longest), 0, -1)
            piece = next((prefix + rest[:end] for end in ends if prefix + rest[:end] in self._places), None)
            if piece is None:
                return []
            found.append(piece)
            rest, prefix = rest[len(piece) - len(prefix) :], _CONTINUED
        return found

    def save(self, path: Path) -> None:
        """Write the table. path: of an `.npz` file."""
        text = np.frombuffer("\n".join(self._pieces).encode(), np.uint8)
        np.savez_compressed(path, pieces=text, rows=self._rows.astype(np.float16))

    @classmethod
    def load(cls, path: Path) -> WordTable:
        """Read a table.

        Args:
            path: of a file from `save`.

        Returns:
            The table.

        Raises:
            RankerUnavailable: there is no such file, or it is damaged.
        """
        try:
            with np.load(path) as stored:
                return cls(stored["pieces"].tobytes().decode().split("\n"), stored["rows"])
        except (OSError, ValueError, KeyError) as error:
            raise RankerUnavailable(f"the word table {path} cannot be read: {error}") from error

    def _vector(self, word: str) -> NDArray[np.float32]:
        vector = self._known.get(word)
        if vector is None:
            rows = [self._places[piece] for piece in self.pieces_of(word)]
            mean = self._rows[rows].astype(np.float32).mean(axis=0) if rows else np.zeros(self.dim, np.float32)
            vector = mean / np.float32(np.linalg.norm(mean) or 1.0)
            if len(self._known) >= _CACHED_WORDS:
                self._known.clear()
            self._known[word] = vector
        return vector


def projected(pieces: Sequence[str], rows: NDArray[np.floating[Any]], dim: int = DIM) -> WordTable:
    """A table of the principal components of word vectors, without their mean: the same for the same table.

    Args:
        pieces: of a WordPiece vocabulary.
        rows: float [pieces, any].
        dim: how many components are kept.

    Returns:
        The table, float16 [pieces, dim].
    """
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    _, directions = np.linalg.eigh(centred.T @ centred)
    chosen = directions[:, ::-1][:, :dim]
    # A direction and its opposite are both eigenvectors: the entry that is largest is made positive.
    chosen = chosen * np.sign(chosen[np.abs(chosen).argmax(axis=0), np.arange(dim)])
    return WordTable(pieces, (centred @ chosen).astype(np.float16))
