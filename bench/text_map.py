"""What a text-to-photo map learns of what products look like, on products kept aside.

Usage: REAL_DATA=... python -m bench.text_map
One shop of four catalogues: `retail_demo_store`, `eshop_adventure`, `magento_luma` (name, brand and description), and every second
photo of `clothing`, each a product whose text is the name of its kind. A fifth of the products is kept aside, five times. Their
texts are asked, and all products' photos searched. Recall@10: of the kinds of `clothing` the share of all photos of that kind,
which ten photos cannot be much of. "nearest texts": by the mean looks of the three products with the nearest texts, without a map.
"contrastive": a linear map trained by the symmetric InfoNCE loss (Radford et al., 2021) with Adam, 300 steps of 256 pairs.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import django
import numpy as np
from numpy.typing import NDArray

from bench.tables import Row, publish, real_data

django.setup()

from bench.text_relevance import exported_encoder  # noqa: E402
from bench.two_sellers import originals  # noqa: E402
from embeddings.backends import get_encoder  # noqa: E402
from embeddings.encoders.text_map import fit_text_map  # noqa: E402
from embeddings.parts.embed import embed_photo  # noqa: E402
from embeddings.parts.layout import CURRENT, LAYOUTS, Layout  # noqa: E402
from pictures.photos import open_rgb  # noqa: E402

SEEDS, ASIDE, FOUND, NEAREST = range(5), 0.2, 10, 3
STEPS, PAIRS, RATE, TEMPERATURE = 300, 256, 0.02, 0.1
Matrix = NDArray[np.float32]
# Scores of all photos, [asked, photos], of products asked after learning from others.
Method = Callable[["Shop", NDArray[np.int64], NDArray[np.int64]], Matrix]


class Shop:
    """All products. catalogue, texts: of each; photos, owner: of each photo, in the order of products."""

    def __init__(self, data: Path, folder: Path) -> None:
        """Encode texts and photos."""
        text_encoder, encoder = exported_encoder(folder), get_encoder("bundled")
        layout = Layout(encoder.dim, LAYOUTS[CURRENT])
        catalogue, texts, files = [], [], []
        for name, products in originals(data / "data").items():
            for product in products:
                record = product.record
                catalogue.append(name)
                texts.append(" ".join(part for part in (record.title, record.brand, record.description) if part))
                files.append([*product.photos])
        for path in sorted((data / "data/clothing").rglob("*.jpg"))[::2]:
            catalogue.append("clothing")
            texts.append(path.parent.name)
            files.append([path])
        self.catalogue, (_, self.kind) = np.array(catalogue), np.unique(texts, return_inverse=True)
        self.texts = text_encoder.encode(texts)
        self.owner = np.repeat(np.arange(len(files)), [len(some) for some in files])
        self.photos = np.stack(
            [
                embed_photo(encoder, layout, open_rgb(path.read_bytes(), min_side=encoder.input_size))
                for some in files
                for path in some
            ]
        )
        sums = np.zeros((len(files), layout.dim), np.float32)
        np.add.at(sums, self.owner, self.photos)
        self.looks = units(sums)

    def recall(self, scores: Matrix, asked: NDArray[np.int64]) -> dict[str, list[float]]:
        """Recall@10 of each product that was asked, by catalogue."""
        best = np.maximum.reduceat(scores, np.searchsorted(self.owner, np.arange(len(self.texts))), axis=1)
        found: dict[str, list[float]] = {}
        for row, product in zip(best, asked, strict=True):
            top = np.argsort(-row, kind="stable")[:FOUND]
            is_kind = self.catalogue[product] == "clothing"
            wanted = self.kind == self.kind[product] if is_kind else np.arange(len(self.texts)) == product
            found.setdefault(self.catalogue[product], []).append(float(wanted[top].sum() / wanted.sum()))
        return found


def units(vectors: Matrix) -> Matrix:
    """Rows of unit length."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12), np.float32)


def mapped(shop: Shop, kept: NDArray[np.int64], asked: NDArray[np.int64]) -> Matrix:
    """By the product's text map."""
    trained = fit_text_map("", shop.texts[kept], shop.looks[kept])
    return trained.similarities(trained.looks(shop.texts[asked]), shop.photos)


def by_nearest_texts(shop: Shop, kept: NDArray[np.int64], asked: NDArray[np.int64]) -> Matrix:
    """By the looks of the products with the nearest texts."""
    nearest = kept[np.argsort(-(shop.texts[asked] @ shop.texts[kept].T), axis=1, kind="stable")[:, :NEAREST]]
    return units(shop.looks[nearest].mean(axis=1)) @ shop.photos.T


def contrastive(shop: Shop, kept: NDArray[np.int64], asked: NDArray[np.int64]) -> Matrix:
    """By a linear map that is trained contrastively."""
    draw = np.random.default_rng(0)
    text_centre, centre = shop.texts[kept].mean(axis=0), shop.looks[kept].mean(axis=0)
    texts, looks, kind = shop.texts[kept] - text_centre, units(shop.looks[kept] - centre), shop.kind[kept]
    weights = (texts.T @ looks / len(kept)).astype(np.float64)
    first, second = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):
        chosen = draw.choice(len(kept), min(PAIRS, len(kept)), replace=False)
        out = texts[chosen] @ weights
        length = np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)
        unit = out / length
        scores = unit @ looks[chosen].T / TEMPERATURE
        same = (kind[chosen][:, None] == kind[chosen]).astype(float)
        change = sum(
            np.exp(scores - scores.max(axis=axis, keepdims=True))
            / np.exp(scores - scores.max(axis=axis, keepdims=True)).sum(axis=axis, keepdims=True)
            - same / same.sum(axis=axis, keepdims=True)
            for axis in (0, 1)
        )
        back = change @ looks[chosen] / (2 * len(chosen) * TEMPERATURE)
        gradient = texts[chosen].T @ ((back - unit * (back * unit).sum(axis=1, keepdims=True)) / length)
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        weights -= RATE * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    asked_looks = units(((shop.texts[asked] - text_centre) @ weights).astype(np.float32))
    return asked_looks @ units(units(shop.photos) - centre).T


METHODS: dict[str, Method] = {"text map": mapped, "nearest texts": by_nearest_texts, "contrastive": contrastive}


def main() -> None:
    """Measure, print and save the results."""
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(real_data(), Path(folder))
    count = len(shop.texts)
    found: dict[str, dict[str, list[float]]] = {name: {} for name in METHODS}
    seconds = 0.0
    for seed in SEEDS:
        order = np.random.default_rng(seed).permutation(count)
        asked, kept = np.sort(order[: int(ASIDE * count)]), np.sort(order[int(ASIDE * count) :])
        for name, method in METHODS.items():
            started = time.perf_counter()
            scores = method(shop, kept, asked)
            seconds = max(seconds, time.perf_counter() - started) if method is mapped else seconds
            for catalogue, values in shop.recall(scores, asked).items():
                found[name].setdefault(catalogue, []).extend(values)
    rows: list[Row] = [
        {
            "texts of": catalogue,
            "products": int((shop.catalogue == catalogue).sum()),
            "asked": len(found["text map"][catalogue]),
            **{f"{name}: Recall@10": float(np.mean(found[name][catalogue])) for name in METHODS},
            "chance": FOUND / count,
            "times chance": float(np.mean(found["text map"][catalogue])) * count / FOUND,
        }
        for catalogue in dict.fromkeys(shop.catalogue.tolist())
    ]
    publish("text_map", rows, {"products searched": count, "seconds to train and ask": seconds})


if __name__ == "__main__":
    main()
