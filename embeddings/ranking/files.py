"""The files of a ranker version in its folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

from embeddings.errors import RankerUnavailable
from embeddings.ranking.candidates import Ranker
from embeddings.ranking.deeprank import DeepRankRanker
from embeddings.ranking.trees import BoostedRanker, read_trees
from embeddings.ranking.words import WordTable

BOOSTED, DEEPRANK = "boosted", "deeprank"
WORDS = "words.npz"


def fingerprint_of(folder: Path) -> str:
    """The hash of a ranker's files.

    Args:
        folder: of a version.

    Returns:
        SHA-256 over names and contents; of nothing for a folder that is missing.

    Raises:
        RankerUnavailable: a file cannot be read.
    """
    total = hashlib.sha256()
    try:
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            total.update(path.name.encode())
            total.update(hashlib.sha256(path.read_bytes()).digest())
    except OSError as error:
        raise RankerUnavailable(f"{error.filename or folder} cannot be read: {error.strerror or error}") from error
    return total.hexdigest()


def open_ranker(folder: Path, kind: str) -> Ranker:
    """Load a ranker.

    Args:
        folder: of its version.
        kind: a value of `RankerVersion.Kind`.

    Returns:
        The ranker.

    Raises:
        RankerUnavailable: its files are missing or damaged, or this release knows no such kind.
    """
    table = WordTable.load(folder / WORDS)
    if kind == BOOSTED:
        return BoostedRanker(read_trees(folder), table)
    if kind == DEEPRANK:
        return DeepRankRanker(folder, table)
    raise RankerUnavailable(f"{folder}: this release knows no rankers of the kind {kind!r}")
