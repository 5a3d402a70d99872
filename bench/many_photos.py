"""`similar` of a product of 60 photos compared with one of 2: embedded index, in-process requests, both in one run.

Usage: python -m bench.many_photos [--points 20000] [--photos 60] [--requests 200] [--keep FOLDER]
Photos are views of one thing (cosine 0.7 to each other on average) among synthetic clustered vectors of 256 dimensions.
--keep: build the index there once and use it again.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from unittest import mock

from bench import SECRET_KEY
from bench.tables import median, publish

_FEW = 2
_PRODUCTS = 20
_NOISE = 0.04


def main() -> None:
    """Measure, print and save the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        ours = {"DATA_DIR": str(folder), "SECRET_KEY": SECRET_KEY, "DEBUG": "false"}
        os.environ.update({**ours, "DJANGO_SETTINGS_MODULE": "bench.served"})
        if not (folder / "ready").exists():
            subprocess.run([sys.executable, "-m", "bench.similar_latency_data", str(options.points)], check=True)
            (folder / "ready").touch()
        _measure(options)


def _measure(options: argparse.Namespace) -> None:
    import django

    django.setup()
    from django.db import transaction
    from django.test import Client

    from recommender import retrieval

    client = Client(headers={"host": "127.0.0.1"})
    with transaction.atomic():
        products = {photos: _products(photos) for photos in (_FEW, options.photos)}
        taken: dict[int, list[float]] = {photos: [] for photos in products}
        for number in range(-20, options.requests):
            for photos, ids in products.items():
                started = time.perf_counter()
                # With a parameter that says nothing, so that no answer is kept for it.
                answer = client.get(f"/api/products/{ids[number % len(ids)]}/similar?limit=10&_={number}")
                if answer.status_code != 200 or answer.json()["fallback"]:
                    raise SystemExit(answer.content)
                if number >= 0:  # the first fill caches
                    taken[photos].append(1000 * (time.perf_counter() - started))
        found = _answers(client, products[options.photos], "three")
        with mock.patch.object(retrieval, "MAX_ASKED", options.photos):
            of_all = _answers(client, products[options.photos], "all")
        transaction.set_rollback(True)
    rows = [{"photos": photos, "p50 ms": median(times)} for photos, times in taken.items()]
    figures = {
        "ratio of the medians": median(taken[options.photos]) / median(taken[_FEW]),
        "the same products as if all photos were asked": len(found & of_all) / len(of_all),
        "points": options.points,
    }
    publish("many_photos", rows, figures)


def _answers(client: Any, ids: list[int], asked: str) -> set[tuple[int, int]]:
    """The products of each answer, as pairs. asked: which photos, so that what was answered by others is not repeated."""
    bodies = {
        product_id: client.get(f"/api/products/{product_id}/similar?limit=10&_={asked}").json() for product_id in ids
    }
    return {(asked, each["product"]["id"]) for asked, body in bodies.items() for each in body["results"]}


def _products(photos: int) -> list[int]:
    """Products with so many photos each, which the index does not have: it is asked by the vectors of the database."""
    import numpy as np

    from catalog.models import Product, ProductImage
    from embeddings.models import ImageEmbedding
    from embeddings.selectors import active_versions
    from embeddings.stored_vectors import vector_from_bytes, vector_to_bytes

    generator = np.random.default_rng(photos)
    version = active_versions()[0]
    ids = []
    for number in range(_PRODUCTS):
        stored: Any = ImageEmbedding.objects.filter(version=version, image_id=100 + number).values_list(
            "vector", "parts"
        )
        vector, parts = stored.get()
        thing = vector_from_bytes(vector)
        product = Product.objects.create(sku=f"{photos}-{number}", title=f"{photos} photos")
        ids.append(product.pk)
        for position in range(photos):
            content_hash = hashlib.sha256(f"{photos} {number} {position}".encode()).hexdigest()
            image = ProductImage.objects.create(
                product=product, position=position, sha256=content_hash, width=1, height=1, file=f"{content_hash}.jpg"
            )
            view = thing + _NOISE * generator.standard_normal(thing.shape)
            ImageEmbedding.objects.create(
                version=version,
                image_id=image.pk,
                content_hash=content_hash,
                vector=vector_to_bytes(view / np.linalg.norm(view)),
                parts=parts,
                state=ImageEmbedding.State.INDEXED,
            )
    return ids


if __name__ == "__main__":
    main()
