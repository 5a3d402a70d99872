"""Makes the int8 model that serves from the float16 weights of a bundled encoder.

    python -m training.quantise --weights weights.tflite --photos DIR [DIR ...] --out model.tflite

Weights and activations become int8; the ranges of the activations are those seen on photos, which should be of the kinds that shops
have. Pooling and the length of a vector stay float32.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

from training.export import write_atomically
from training.photo_folders import photos_in, read_photo
from training.portable import Portable


def quantise(weights: Path, photos: list[Path]) -> bytes:
    """An int8 model of float16 weights.

    Args:
        weights: a file that `training.distil` or `training.distil_joined` has exported.
        photos: some hundreds, which the ranges of activations are taken from.

    Returns:
        Content of a `.tflite` file: float32 [1, s, s, 3] in [0, 1] -> float32 [1, dim].

    Raises:
        ValueError: the weights are not of a student's network.
    """
    return Portable(weights).litert_int8(map(read_photo, photos))


def main() -> None:
    """Read the command line, and write the model."""
    parser = argparse.ArgumentParser(description="Make an int8 model from the float16 weights of an encoder.")
    parser.add_argument("--weights", type=Path, required=True, help="the .tflite file that a recipe exported")
    parser.add_argument("--photos", nargs="+", type=Path, required=True, help="folders of photos, searched in depth")
    parser.add_argument("--each", type=int, default=120, help="photos of each folder, drawn with a seed (default: 120)")
    parser.add_argument("--out", type=Path, required=True, help="the .tflite file to write")
    arguments = parser.parse_args()
    drawn = random.Random(7)
    photos: list[Path] = []
    for folder in arguments.photos:
        found = photos_in([folder])
        if len(found) < arguments.each:
            parser.error(f"{folder} has {len(found)} photos, fewer than --each {arguments.each}")
        photos += drawn.sample(found, arguments.each)
    try:
        write_atomically(arguments.out, quantise(arguments.weights, photos))
    except (OSError, ValueError) as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
