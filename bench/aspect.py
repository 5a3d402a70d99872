"""Squash, pad or crop: which is best for photos that are not square?

Usage: REAL_DATA=... python -m bench.aspect
Retrieval with the bundled encoder on clothing (query = validation, gallery = train, same class) and on products with several photos
(leave-one-out, same product). The encoder was trained on squashed photos, so the teacher is measured, too.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.encoder_speed import teacher_encoder
from bench.tables import publish, real_data
from embeddings.backends import BUNDLED_ENCODERS
from embeddings.encoders.litert import LiteRTEncoder
from embeddings.evaluation.metrics import labels_of, retrieval_metrics
from pictures.photos import open_rgb

Fit = Callable[[Image.Image], Image.Image]


def squash(image: Image.Image) -> Image.Image:
    """The unchanged photo: the encoder squashes it to a square."""
    return image


def pad(image: Image.Image) -> Image.Image:
    """The photo with white bars, as a square."""
    side = max(image.size)
    square = Image.new("RGB", (side, side), "white")
    square.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return square


def centre_crop(image: Image.Image) -> Image.Image:
    """The largest square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def main() -> None:
    """Measure, print and save the results."""
    data = real_data() / "data"
    train, validation = (sorted((data / "clothing" / part).rglob("*.jpg")) for part in ("train", "validation"))
    with (data / "magento_luma/images.csv").open() as file:
        rows = list(csv.DictReader(file))
    views = [data / "magento_luma/images" / row["file"] for row in rows]
    products = labels_of([row["product_id"] for row in rows])
    table = []
    with tempfile.TemporaryDirectory() as folder:
        archive = next((data.parent / "encoders").glob("mobilenet_v2_*.tar.gz"))
        encoders = {
            **{name: LiteRTEncoder(path) for name, path in BUNDLED_ENCODERS.items()},
            "teacher": teacher_encoder(archive, Path(folder)),
        }
        for name, encoder in encoders.items():
            for fit in (squash, pad, centre_crop):
                queries, gallery, shots = (_embed(encoder, paths, fit) for paths in (validation, train, views))
                clothing = retrieval_metrics(queries, _classes(validation), gallery, _classes(train))
                instance = retrieval_metrics(shots, products, shots, products, leave_one_out=True)
                table.append(
                    {
                        "encoder": name,
                        "photo": fit.__name__,
                        "clothing Recall@1": clothing.recall_at_1,
                        "clothing mAP": clothing.mean_average_precision,
                        "same product Recall@1": instance.recall_at_1,
                    }
                )
    publish("aspect", table)


def _embed(encoder: LiteRTEncoder, paths: Sequence[Path], fit: Fit) -> NDArray[np.float32]:
    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(lambda path: encoder.encode([fit(open_rgb(path))]), paths)))


def _classes(paths: Sequence[Path]) -> NDArray[np.str_]:
    return labels_of([path.parent.name for path in paths])


if __name__ == "__main__":
    main()
