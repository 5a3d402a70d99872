"""Photos per second from JPEG file to stored point, compared with a simple loop.

Usage: REAL_DATA=... python -m bench.photos_to_points [--photos 1000] [--encoder bundled]
The naive loop: Pillow opens and resizes a photo, Keras `model.predict` embeds it, one upsert stores it, with the same model and
vector engine. Lookalike: processing the outbox, including database rows. Both run alternately in one run.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from bench import SECRET_KEY
from bench.tables import median, publish, real_data

ROUNDS = 3
NAIVE_PHOTOS = 60


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--encoder", choices=["bundled", "bundled-fast"], default="bundled")
    options = parser.parse_args()
    count = options.photos
    paths = sorted((real_data() / "data/clothing/train").rglob("*.jpg"))[:count]
    with tempfile.TemporaryDirectory() as folder:
        _set_up_django(Path(folder), options.encoder)
        _import(paths)
        naive_once = _naive(paths, Path(folder), options.encoder)
        ours, naive = [], []
        _process_outbox()
        naive_once(5)
        for _ in range(ROUNDS):
            ours.append(_process_outbox())
            naive.append(naive_once(NAIVE_PHOTOS))
        shares = _shares(paths)
    rows = [
        {"way": "naive loop", "photos/s": median(naive)},
        {"way": f"lookalike, {os.cpu_count()} cores", "photos/s": median(ours)},
    ]
    ratio = median([mine / theirs for mine, theirs in zip(ours, naive, strict=True)])
    publish(f"photos_to_points_{options.encoder}", rows, {"times the naive loop": ratio, **shares})


def _set_up_django(folder: Path, encoder: str) -> None:
    os.environ.update(
        DJANGO_SETTINGS_MODULE="lookalike.settings",
        DEBUG="false",
        SECRET_KEY=SECRET_KEY,
        DATA_DIR=str(folder),
        DEFAULT_ENCODER=encoder,
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _import(paths: Sequence[Path]) -> None:
    from catalog.services import attach_image, save_product
    from pictures.photos import read_photo
    from product_files.product_data import ProductData

    for number, path in enumerate(paths):
        product, _ = save_product(ProductData(sku=str(number), title=path.stem, category=(path.parent.name,)))
        attach_image(product, read_photo(path))


def _process_outbox() -> float:
    """Photos per second from pending rows to stored points, for the whole catalogue."""
    from embeddings.indexing import process_outbox
    from embeddings.models import ImageEmbedding

    ImageEmbedding.objects.mark_pending(drop_vector=True)
    started = time.perf_counter()
    report = process_outbox()
    seconds = time.perf_counter() - started
    if report.indexed != ImageEmbedding.objects.count():
        raise SystemExit(f"only {report.indexed} of {ImageEmbedding.objects.count()} photos were indexed")
    return report.indexed / seconds


def _naive(paths: Sequence[Path], folder: Path, encoder: str) -> Callable[[int], float]:
    from PIL import Image

    from embeddings.backends import bundled_weights
    from embeddings.vector_index.base import IndexCollection, Point
    from embeddings.vector_index.edge import EdgeVectorIndex
    from training.litert_files import read_litert

    model = read_litert(bundled_weights(encoder))
    size, dim = model.input_shape[1], model.output_shape[1]
    index = EdgeVectorIndex(path=folder / "naive")
    index.ensure(IndexCollection("naive", dim))

    def run(count: int) -> float:
        started = time.perf_counter()
        for number, path in enumerate(paths[:count]):
            image = Image.open(path).convert("RGB").resize((size, size))
            vector = model.predict(np.asarray(image, np.float32)[None] / 255, verbose=0)[0]
            index.upsert("naive", [Point(number, vector, {"product_id": number})])
        return count / (time.perf_counter() - started)

    return run


def _shares(paths: Sequence[Path]) -> dict[str, str]:
    """The share of each stage in the time of Lookalike, measured one stage at a time."""
    from django.conf import settings

    from embeddings.backends import get_encoder, get_vector_index
    from embeddings.indexing import points_of
    from embeddings.models import ImageEmbedding
    from embeddings.parts.describe import DESCRIBED_AT_ONCE, describe_all
    from embeddings.selectors import active_versions
    from pictures.photos import open_rgb

    encoder = get_encoder()
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        seconds: dict[str, float] = {}
        images = _timed(
            seconds,
            "decode",
            lambda: list(pool.map(lambda path: open_rgb(path, min_side=encoder.input_size), paths)),
        )
        _timed(seconds, "encode", lambda: list(pool.map(lambda image: encoder.encode([image]), images)))
        few = [images[start : start + DESCRIBED_AT_ONCE] for start in range(0, len(images), DESCRIBED_AT_ONCE)]
        _timed(seconds, "describe", lambda: list(pool.map(describe_all, few)))
    version = active_versions()[0]
    points = points_of(version.layout, ImageEmbedding.objects.filter(version=version))
    _timed(seconds, "upsert", lambda: get_vector_index().upsert(version.index_collection().name, points))
    total = sum(seconds.values())
    return {f"share of {stage}": f"{100 * value / total:.0f}%" for stage, value in seconds.items()}


def _timed(seconds: dict[str, float], stage: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    result = work()
    seconds[stage] = time.perf_counter() - started
    return result


if __name__ == "__main__":
    main()
