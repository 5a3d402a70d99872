"""A boosted ranker as a JSON file, and its evaluation by NumPy: serving needs no library of trees."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import RankerUnavailable
from embeddings.ranking.candidates import Asked, Candidate
from embeddings.ranking.features import FEATURES, feature_rows
from embeddings.ranking.words import WordTable

MODEL = "trees.json"


@dataclass(frozen=True)
class Trees:
    """Regression trees whose values are added, padded to the same number of nodes.

    Attributes:
        feature: int32 [trees, nodes]: which feature a node asks for; -1 in a leaf.
        threshold: float32 [trees, nodes]: below it, the left child is next.
        left: int32 [trees, nodes]: the children.
        right: int32 [trees, nodes].
        missing_left: bool [trees, nodes]: where a feature that is NaN goes.
        value: float64 [trees, nodes]: of a leaf.
    """

    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float64]

    def predict(self, rows: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores of rows.

        Args:
            rows: float32 [n, features].

        Returns:
            float64 [n].
        """
        every = np.arange(len(self.feature))
        node = np.zeros((len(rows), len(every)), np.int32)
        while True:
            feature = self.feature[every, node]
            if (feature < 0).all():
                break
            asked = np.take_along_axis(rows, np.maximum(feature, 0), axis=1)
            goes_left = np.where(np.isnan(asked), self.missing_left[every, node], asked < self.threshold[every, node])
            child = np.where(goes_left, self.left[every, node], self.right[every, node])
            node = np.where(feature < 0, node, child)
        total: NDArray[np.float64] = self.value[every, node].sum(axis=1)
        return total

    def as_lists(self) -> dict[str, list[list[float]]]:
        """For JSON."""
        return {name: getattr(self, name).tolist() for name in _TYPES}

    @classmethod
    def of_nodes(cls, trees: Sequence[Sequence[Mapping[str, float]]]) -> Trees:
        """Trees of nodes. trees: of each its nodes, the root first, with the attributes above as members."""
        longest = max(map(len, trees), default=1)
        leaf = {"feature": -1, "threshold": 0.0, "left": 0, "right": 0, "missing_left": 0, "value": 0.0}
        padded = [[*nodes, *[leaf] * (longest - len(nodes))] for nodes in trees]
        return cls(**{name: np.array([[n[name] for n in t] for t in padded], kind) for name, kind in _TYPES.items()})


_TYPES: Mapping[str, Any] = {
    "feature": np.int32, "threshold": np.float32, "left": np.int32, "right": np.int32, "missing_left": np.bool_,
    "value": np.float64,
}  # fmt: skip


class BoostedRanker:
    """Scores candidates by their features."""

    def __init__(self, trees: Trees, table: WordTable) -> None:
        """trees: of FEATURES; table: of word vectors."""
        self._trees, self._table = trees, table

    def scores(self, asked: Asked, candidates: Sequence[Candidate]) -> NDArray[np.float32]:
        """See `Ranker`."""
        return self._trees.predict(feature_rows(asked, candidates, self._table)).astype(np.float32)


def write_trees(folder: Path, trees: Trees) -> None:
    """Write the file of a boosted ranker. folder: of its version."""
    document = {"features": [*FEATURES], "trees": trees.as_lists()}
    (folder / MODEL).write_text(json.dumps(document), encoding="utf-8")


def read_trees(folder: Path) -> Trees:
    """Read the file of a boosted ranker.

    Args:
        folder: of its version.

    Returns:
        The trees.

    Raises:
        RankerUnavailable: there is no such file, it is damaged, or it is of other features than this release has.
    """
    try:
        document = json.loads((folder / MODEL).read_text(encoding="utf-8"))
        lists = document["trees"]
        trees = Trees(**{name: np.array(lists[name], kind) for name, kind in _TYPES.items()})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RankerUnavailable(f"{folder / MODEL} is not a boosted ranker: {error}") from error
    if document.get("features") != [*FEATURES]:
        raise RankerUnavailable(f"{folder / MODEL} was trained on other features than this release has: train it again")
    return trees
