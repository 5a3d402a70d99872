"""Recall and false pairs of the search for near-duplicates.

Usage: REAL_DATA=... python -m bench.duplicates
Photos of four real catalogues are changed as another shop might (recompressed, resized, cropped, ...) and matched with the rules of
`manage.py find_duplicates`: with its perceptual hash and, if the package ImageHash is installed, with its `phash` and `dhash`. The
last column counts pairs of different products that match: some are the same product, or one product in several colours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import django
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from bench.tables import Row, publish, real_data
from embeddings.backends import get_encoder
from pictures.perceptual_hash import MIN_SIDE, MIRROR, perceptual_hash
from pictures.photos import open_rgb

django.setup()

from embeddings.duplicates import RULES  # noqa: E402

Rules = Sequence[tuple[float, int]]


def saved(image: Image.Image, quality: int = 90) -> bytes:
    """As a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def resized(image: Image.Image) -> Image.Image:
    """To 60%."""
    return image.resize((round(image.width * 0.6), round(image.height * 0.6)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """Without this share of its length on each side."""
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def brighter(image: Image.Image) -> Image.Image:
    """By a tenth."""
    return ImageEnhance.Brightness(image).enhance(1.1)


def watermarked(image: Image.Image) -> Image.Image:
    """With a line of text, a tenth of the photo high, across its lower part."""
    marked = image.copy()
    font = ImageFont.load_default(size=max(12, image.height // 10))
    place = (image.width * 0.15, image.height * 0.8)
    ImageDraw.Draw(marked, "RGBA").text(
        place, "shop.example", (255, 255, 255, 150), font, stroke_width=1, stroke_fill=(0, 0, 0, 120)
    )
    return marked


CHANGES: dict[str, Callable[[Image.Image], bytes]] = {
    "JPEG q40": lambda image: saved(image, 40),
    "60%": lambda image: saved(resized(image)),
    "crop 5%": lambda image: saved(cropped(image, 0.025)),
    "crop 10%": lambda image: saved(cropped(image, 0.05)),
    "brighter": lambda image: saved(brighter(image)),
    "watermark": lambda image: saved(watermarked(image)),
    "60%, brighter, q40": lambda image: saved(brighter(resized(image)), 40),
    "mirrored": lambda image: saved(ImageOps.mirror(image)),
}


@dataclass(frozen=True)
class HashKind:
    """A perceptual hash with the rules that suit it. mirrored: the hash of the mirrored photo."""

    name: str
    hash: Callable[[Image.Image], int]
    mirrored: Callable[[Image.Image], int]
    rules: Rules


def _image_hash(name: str, rules: Rules) -> HashKind:
    """A function of the package ImageHash."""
    compute = getattr(import_module("imagehash"), name)

    def as_integer(image: Image.Image) -> int:
        return int.from_bytes(np.packbits(compute(image).hash.ravel()).tobytes(), "big")

    return HashKind(f"ImageHash {name}", as_integer, lambda image: as_integer(ImageOps.mirror(image)), rules)


HASHES = [HashKind("perceptual hash", perceptual_hash, lambda image: perceptual_hash(image) ^ MIRROR, RULES)]
if find_spec("imagehash"):
    HASHES += [_image_hash("phash", RULES), _image_hash("dhash", ((0.93, 8), (0.85, 4), (0.75, 2)))]


def main() -> None:
    """Measure, print and write down."""
    data = real_data() / "data"
    with (data / "magento_luma/images.csv").open() as file:
        luma = [(data / "magento_luma/images" / row["file"], row["product_id"]) for row in csv.DictReader(file)]
    sets = {"magento_luma": luma}
    for name, folder in (("clothing", "clothing/train"), ("retail", "retail_demo_store"), ("eshop", "eshop_adventure")):
        files = sorted(path for path in (data / folder).rglob("*") if path.suffix in (".jpg", ".jpeg", ".png", ".webp"))
        sets[name] = [(path, path.name) for path in files]
    rows = [row for name, photos in sets.items() for row in _rows(name, photos)]
    publish("duplicates", rows, {"rules, cosine and bits": str(RULES), "encoder": "bundled"})


def _rows(name: str, photos: Sequence[tuple[Path, str]]) -> list[Row]:
    encoder = get_encoder("bundled")

    def read(content: bytes) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
        """The vector as indexing computes it, and the hashes of the photo and its mirror image."""
        image = open_rgb(content, min_side=MIN_SIDE)
        vector = encoder.encode([open_rgb(content, min_side=encoder.input_size)])[0]
        return vector, [(kind.hash(image), kind.mirrored(image)) for kind in HASHES]

    def variants(path: Path) -> list[tuple[NDArray[np.float32], list[tuple[int, int]]]]:
        """The photo and its changed copies."""
        content = path.read_bytes()
        return [read(content), *(read(change(open_rgb(content))) for change in CHANGES.values())]

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(variants, [path for path, _ in photos]))
    vectors = np.stack([[vector for vector, _ in each] for each in results])
    cosines = np.einsum("nd,ncd->nc", vectors[:, 0], vectors)
    products = np.array([product for _, product in photos])
    rows: list[Row] = []
    for number, kind in enumerate(HASHES):
        hashes = np.array([[hashed[number][0] for _, hashed in each] for each in results], dtype=np.uint64)
        mirrored = np.array([each[0][1][number][1] for each in results], dtype=np.uint64)
        found = _matches(cosines, _bits(hashes[:, :1], mirrored[:, None], hashes), kind.rules)[:, 1:].mean(axis=0)
        matches = _matches(
            vectors[:, 0] @ vectors[:, 0].T, _bits(hashes[:, :1], mirrored[:, None], hashes[None, :, 0]), kind.rules
        )
        one, other = np.nonzero(np.triu(matches, 1) & (products[:, None] != products[None]))
        others = {tuple(sorted((products[a], products[b]))) for a, b in zip(one, other, strict=True)}
        recall = dict(zip(CHANGES, (round(float(share), 3) for share in found), strict=True))
        columns = {"photos, products": f"{name}, {len(photos)}, {len(set(products))}", "by": kind.name}
        rows.append({**columns, **recall, "other pairs": len(others)})
    return rows


def _bits(hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of different bits, the smaller one of the photo and its mirror image."""
    bits: NDArray[np.uint8] = np.minimum(np.bitwise_count(hashes ^ others), np.bitwise_count(mirrored ^ others))
    return bits


def _matches(cosines: NDArray[np.float32], bits: NDArray[np.uint8], rules: Rules) -> NDArray[np.bool_]:
    matches: NDArray[np.bool_] = np.any([(cosines >= cosine) & (bits <= most) for cosine, most in rules], axis=0)
    return matches


if __name__ == "__main__":
    main()
