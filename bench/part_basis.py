"""Makes the fixed basis of colours and patterns, `embeddings/parts/basis.npz`, from real photos.

Usage: REAL_DATA=... python -m bench.part_basis [--photos 500]
So many photos each of clothing, groceries and other things (train splits); a principal component analysis of what `measured` gives.
The same photos give the same file.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.tables import publish, real_data
from embeddings.parts.describe import BASIS, measured
from embeddings.parts.layout import CURRENT, LAYOUTS
from pictures.photos import open_rgb

SETS = ("clothing/train", "grocery/train", "caltech101/photos")
LENGTHS = {part.name: part.length for part in LAYOUTS[CURRENT]}
# Components are divided by their deviation to this power: a little, so that rare colours count beside black, white and grey.
WHITENING = 0.5


def photos_of(name: str, count: int) -> list[Path]:
    """So many photos of a set, drawn with a fixed seed."""
    found = sorted(path for path in (real_data() / "data" / name).rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    chosen = np.random.default_rng(0).permutation(len(found))[:count]
    return [found[number] for number in chosen]


def fitted(values: NDArray[np.float32], length: int) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Mean, basis [n, length], and the share of the variance that it keeps."""
    mean = values.mean(axis=0)
    _, deviations, components = np.linalg.svd(values - mean, full_matrices=False)
    basis = components[:length].T * (deviations[:length] / deviations[0]) ** -WHITENING
    kept = float((deviations[:length] ** 2).sum() / (deviations**2).sum())
    return mean.astype(np.float32), basis.astype(np.float32), kept


def main() -> None:
    """Make the file and print what it keeps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=500)
    options = parser.parse_args()
    paths = [path for name in SETS for path in photos_of(name, options.photos)]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda path: measured([open_rgb(path, min_side=224)]), paths))
    arrays: dict[str, Any] = {}
    rows = []
    for place, (part, length) in enumerate(LENGTHS.items()):
        values = np.concatenate([each[place] for each in found])
        arrays[f"{part}_mean"], arrays[f"{part}_basis"], kept = fitted(values, length)
        rows.append({"part": part, "photos": len(values), "from": values.shape[1], "to": length, "variance kept": kept})
    np.savez(BASIS, **arrays)
    publish("part_basis", rows)


if __name__ == "__main__":
    main()
