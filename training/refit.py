"""Refits the last layers of a bundled encoder, without training its convolutions.

    python -m training.refit --weights weights.tflite --labelled DIR [DIR ...] --out weights.tflite

The new network weights the cells of its last map by how much they differ from the photo's border (`--pooling roots`: takes their
mean), takes square roots, and ends in a linear layer. In it, directions in which photos of one class differ much count for less
(the within-class covariance, shrunk: Friedman, "Regularized Discriminant Analysis", JASA 1989), and the first principal components
of what remains are kept. The more it is shrunk, the nearer the plain features are, which also separate photos of kinds that no
folder has.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from embeddings.encoders.litert import LiteRTEncoder
from training.export import to_litert, write_atomically
from training.litert_files import read_litert
from training.photo_folders import photos_in, read_photo
from training.student import Pooling, with_pooling

Features = NDArray[np.float32]


@dataclass(frozen=True)
class Folder:
    """A folder's photos: features float32 [n, f]; classes int64 [n], by the folder that a photo lies in."""

    features: Features
    classes: NDArray[np.int64]


def linear_layer(folders: Sequence[Folder], dim: int, shrinkage: float) -> tuple[Features, Features]:
    """The kernel and the bias that whiten differences within classes a little and keep the principal components.

    Args:
        folders: each counts as much as any other, whatever its photos.
        dim: embedding dimension.
        shrinkage: in mean variances within classes, what is added to each; the larger, the less is whitened.

    Returns:
        float32 [f, dim] and [dim].
    """
    within = np.mean([_within_classes(folder) for folder in folders], axis=0)
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    whitening = (vectors / np.sqrt(values)) @ vectors.T
    everything = np.concatenate([folder.features for folder in folders])
    mean = everything.mean(axis=0)
    whitened = (everything - mean) @ whitening
    _, components = np.linalg.eigh(whitened.T @ whitened)
    kernel = whitening @ components[:, ::-1][:, :dim]
    # Vectors of a length near 1, which 8 bits hold well.
    kernel /= np.linalg.norm((everything - mean) @ kernel, axis=1).mean()
    return kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)


def refit(
    former: keras.Model, folders: Sequence[Sequence[Path]], shrinkage: float, pooling: Pooling = Pooling.FOREGROUND
) -> keras.Model:
    """A bundled encoder with new last layers.

    Args:
        former: its network.
        folders: of each folder, the photos to take.
        shrinkage: see `linear_layer`.
        pooling: how the features come about.

    Returns:
        A network of the same convolutions, input size and dimension.
    """
    network = with_pooling(former, pooling)
    to_features = keras.Model(network.input, network.get_layer("features").output)
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "features.tflite"
        path.write_bytes(to_litert(to_features))
        encoder = LiteRTEncoder(path)
        read = [Folder(_features(encoder, paths), _classes(paths)) for paths in folders]
    network.get_layer("projection").set_weights(linear_layer(read, network.output_shape[1], shrinkage))
    return network


def _within_classes(folder: Folder) -> NDArray[np.float64]:
    centres = np.zeros((folder.classes.max() + 1, folder.features.shape[1]))
    np.add.at(centres, folder.classes, folder.features)
    centres /= np.bincount(folder.classes)[:, None]
    apart = folder.features - centres[folder.classes]
    covariance: NDArray[np.float64] = apart.T @ apart / len(apart)
    return covariance


def _features(encoder: LiteRTEncoder, paths: Sequence[Path]) -> Features:
    def of(path: Path) -> NDArray[np.float32]:
        return encoder.encode([read_photo(path)])[0]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return np.stack(
            list(tqdm(pool.map(of, paths), total=len(paths), desc="features", unit="photo", mininterval=10))
        )


def _classes(paths: Sequence[Path]) -> NDArray[np.int64]:
    return np.unique([str(path.parent) for path in paths], return_inverse=True)[1].astype(np.int64)


def main() -> None:
    """Read the command line, and write the weights."""
    parser = argparse.ArgumentParser(description="Refit the last layers of a bundled encoder.")
    parser.add_argument(
        "--weights", type=Path, required=True, help="the .tflite file of weights that a recipe exported"
    )
    parser.add_argument(
        "--labelled", nargs="+", type=Path, required=True, help="folders of photos; a folder is a class"
    )
    parser.add_argument(
        "--each", type=int, default=6000, help="photos of each at most, drawn with a seed (default: 6000)"
    )
    parser.add_argument(
        "--pooling",
        type=Pooling,
        choices=[*Pooling],
        default=Pooling.FOREGROUND,
        help="what the cells of the last map become (default: foreground)",
    )
    parser.add_argument("--shrinkage", type=float, default=1.0, help="the larger, the less is whitened (default: 1)")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write, weights in float16")
    arguments = parser.parse_args()
    drawn = random.Random(7)
    folders = []
    for folder in arguments.labelled:
        found = photos_in([folder])
        if not found:
            parser.error(f"{folder} has no photos")
        folders.append(sorted(drawn.sample(found, min(arguments.each, len(found)))))
    try:
        network = refit(read_litert(arguments.weights), folders, arguments.shrinkage, arguments.pooling)
        write_atomically(arguments.out, to_litert(network, half_precision_weights=True))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
