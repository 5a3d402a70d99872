"""Fills the database of bench/similar_latency.py with synthetic products and builds their index."""

from __future__ import annotations

import hashlib
import sys
import time
from decimal import Decimal

import django
import numpy as np

BATCH = 5000
DIM = 256
# A vocabulary as skewed as a shop's: common colours and materials, few hundred things, thousands of names.
COLOURS = ("black", "white", "blue", "red", "grey", "green", "brown", "beige", "pink", "yellow")
MATERIALS = ("cotton", "steel", "leather", "oak", "glass", "linen", "ceramic", "wool")
THINGS = [f"{first}{last}" for first in ("mu", "la", "so", "te", "bo", "ka", "ri", "po", "ne", "vi") for last in (
    "g", "mp", "fa", "nt", "wl", "rd", "ng", "t", "st", "rt", "ck", "lt", "ssel", "tter", "nder", "llow", "nch", "per", "dle", "ket"
)]  # fmt: skip


def title_of(number: int) -> str:
    """The title of a product: `blue cotton lamp Tova17`."""
    skew = int(len(THINGS) * (number * 7919 % 1000 / 1000) ** 2)
    return f"{COLOURS[number % 10]} {MATERIALS[number // 10 % 8]} {THINGS[skew]} Tova{number % 997}"


def main(points: int) -> None:
    """Create that many products with one photo each."""
    from django.core.management import call_command

    from catalog.models import Product, ProductImage
    from catalog.services import ensure_category
    from embeddings.generations import build_generation
    from embeddings.models import EncoderVersion, ImageEmbedding
    from embeddings.selectors import active_versions
    from embeddings.stored_vectors import vector_to_bytes
    from embeddings.text_indexing import process_texts

    call_command("migrate", verbosity=0)
    version = active_versions()[0]
    EncoderVersion.objects.filter(pk=version.pk).update(dim=DIM)
    version.refresh_from_db()
    categories = [ensure_category(("Shop", f"Shelf {n}")) for n in range(20)]
    generator = np.random.default_rng(7)
    centres = generator.standard_normal((points // 50 + 1, DIM)).astype(np.float32)
    looks = generator.standard_normal((points // 50 + 1, version.layout.parts_dim)).astype(np.float32)
    # What looks similar is for the same people and costs about as much.
    prices = np.random.default_rng(8).integers(20, 200, size=len(centres))
    for start in range(0, points, BATCH):
        ids = range(start + 1, min(start + BATCH, points) + 1)
        clusters = dict(zip(ids, generator.integers(len(centres), size=len(ids)).tolist(), strict=True))
        Product.objects.bulk_create(
            Product(
                pk=n, sku=f"S{n}", title=title_of(n), slug=f"product-{n}", category=categories[n % 20], brand=f"Brand {n % 40}",
                description=f"A {MATERIALS[n % 8]} {THINGS[n % 200]} for every {THINGS[n % 173]}, easy to clean.",
                price=Decimal(int(prices[clusters[n]]) * (6 + n % 9)) / 10, available=n % 10 > 0,
                tags=["sale"] if n % 25 == 0 else [], attributes={
                    "colour": COLOURS[n % 10], "gender": ("women", "men", "unisex")[clusters[n] % 3], "margin": n % 10 / 10,
                },
            )
            for n in ids
        )  # fmt: skip
        hashes = {n: hashlib.sha256(str(n).encode()).hexdigest() for n in ids}
        ProductImage.objects.bulk_create(
            ProductImage(pk=n, product_id=n, sha256=hashes[n], width=1, height=1, file=f"products/{n}.jpg") for n in ids
        )
        vectors = centres[[*clusters.values()]] + 0.6 * generator.standard_normal((len(ids), DIM))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        # Colour and pattern are those of the cluster as often as not.
        parts = looks[(np.array([*clusters.values()]) + generator.integers(2, size=len(ids))) % len(looks)]
        parts = (parts + 0.3 * generator.standard_normal(parts.shape)).astype(np.float32)
        ImageEmbedding.objects.bulk_create(
            ImageEmbedding(
                version=version,
                image_id=n,
                content_hash=hashes[n],
                vector=vector_to_bytes(vector),
                parts=vector_to_bytes(part),
                state=ImageEmbedding.State.EMBEDDED,
            )
            for n, vector, part in zip(ids, vectors, parts, strict=True)
        )
    started = time.monotonic()
    count = build_generation(version)
    print(f"{count} points indexed in {time.monotonic() - started:.0f} s")
    ImageEmbedding.objects.mark_indexed()
    started = time.monotonic()
    report = process_texts()
    print(f"{report.indexed} texts indexed again in {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]))
