"""How well the catalogue doctor finds wrong categories.

Usage: REAL_DATA=... python -m bench.doctor
Of the photos of clothing/train, 5% get another of the ten classes, drawn at random. All are judged by the vectors of
bundled-fast, which has not seen these labels. Wrong labels that the data set has of its own count as mistakes of the doctor.
Precision is that of the list down to the row at which so much of what was exchanged is found; the last two columns are those of
what the doctor lists.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
import numpy as np
from numpy.typing import NDArray

from bench.tables import Row, publish, real_data
from embeddings.backends import get_encoder
from pictures.photos import open_rgb

django.setup()

from embeddings.doctor import LISTED_FROM  # noqa: E402
from embeddings.label_noise import judge_labels  # noqa: E402

EXCHANGED = 0.05


def embedded(folder: Path, cache: Path | None) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Vectors and classes of the photos in a folder of folders. cache: a file that is written the first time."""
    if cache is not None and cache.is_file():
        content = np.load(cache)
        return content["vectors"], content["classes"]
    encoder = get_encoder("bundled-fast")
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    with ThreadPoolExecutor() as pool:
        vectors = np.stack(
            list(pool.map(lambda path: encoder.encode([open_rgb(path, min_side=encoder.input_size)])[0], files))
        )
    _, classes = np.unique([path.parent.name for path in files], return_inverse=True)
    if cache is not None:
        np.savez(cache, vectors=vectors, classes=classes)
    return vectors, classes


def exchanged(classes: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """The classes, of which EXCHANGED are others."""
    random = np.random.default_rng(seed)
    chosen = random.choice(len(classes), round(EXCHANGED * len(classes)), replace=False)
    count = int(classes.max()) + 1
    labels = classes.copy()
    labels[chosen] = (classes[chosen] + random.integers(1, count, len(chosen))) % count
    return labels


def measured(vectors: NDArray[np.float32], classes: NDArray[np.int64], seed: int) -> Row:
    """The figures of one draw."""
    labels = exchanged(classes, seed)
    wrong = labels != classes
    judgement = judge_labels(vectors, labels, seed=seed)
    found = np.cumsum(wrong[np.argsort(-judgement.margin)])
    at = {recall: int(np.searchsorted(found, recall * wrong.sum())) for recall in (0.3, 0.5, 0.8)}
    listed = judgement.margin >= LISTED_FROM
    return {
        "seed": seed,
        **{f"precision at recall {recall}": float(found[row] / (row + 1)) for recall, row in at.items()},
        "listed": int(listed.sum()),
        "precision of the list": float(wrong[listed].mean()),
        "recall of the list": float(wrong[listed].sum() / wrong.sum()),
        "right suggestion": float((judgement.suggested == classes)[listed & wrong].mean()),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cache", type=Path, help="file that keeps the vectors (.npz)")
    options = parser.parse_args(arguments)
    vectors, classes = embedded(real_data() / "data/clothing/train", options.cache)
    rows = [measured(vectors, classes, seed) for seed in range(options.seeds)]
    lowest = min(row["precision at recall 0.5"] for row in rows)
    publish("doctor", rows, {"photos": len(classes), "lowest precision at recall 0.5": lowest})


if __name__ == "__main__":
    main()
