"""Are near-duplicates found, and which other products are listed as duplicates?

Usage: REAL_DATA=... python -m bench.duplicates
Photos of four real catalogues are changed as another shop might change them (recompressed, resized, cropped, ...) and searched by
the rules of `manage.py find_duplicates`: with its perceptual hash, and with a difference hash of 64 bits instead. The table also
has the number of pairs of different products that the rules list; some of them are the same product, or one product in several
colours.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import django
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFont, ImageOps

from bench.tables import Row, publish, real_data
from catalog.perceptual_hash import MIN_SIDE, MIRROR, perceptual_hash
from catalog.photos import open_rgb
from embeddings.backends import get_encoder

django.setup()

from embeddings.duplicates import RULES  # noqa: E402

Rules = Sequence[tuple[float, int]]
Hash = Callable[[Image.Image], int]


def saved(image: Image.Image, quality: int = 90) -> bytes:
    """The photo as a JPEG."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def resized(image: Image.Image) -> Image.Image:
    """The photo at 60% of its size."""
    return image.resize((round(image.width * 0.6), round(image.height * 0.6)), Image.Resampling.LANCZOS)


def cropped(image: Image.Image, share: float) -> Image.Image:
    """The photo without this share of its length on each side."""
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


def brighter(image: Image.Image) -> Image.Image:
    """The photo, a tenth brighter."""
    return ImageEnhance.Brightness(image).enhance(1.1)


def watermarked(image: Image.Image) -> Image.Image:
    """The photo with a line of text across its lower part, a tenth of the photo high."""
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


def difference_hash(image: Image.Image) -> int:
    """The alternative: 64 gradients of 9 x 8 grey means."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.BOX), dtype=np.int16)
    return int.from_bytes(np.packbits((grey[:, 1:] > grey[:, :-1]).ravel()).tobytes(), "big")


def mirrored_difference_hash(look: int) -> int:
    """The hash of the mirrored photo: rows reversed, each gradient inverted."""
    gradients = np.unpackbits(np.frombuffer(look.to_bytes(8, "big"), np.uint8)).reshape(8, 8)
    return int.from_bytes(np.packbits(1 - gradients[:, ::-1]).tobytes(), "big")


HASHES: dict[str, tuple[Hash, Callable[[int], int], Rules]] = {
    "perceptual hash": (perceptual_hash, lambda look: look ^ MIRROR, RULES),
    "difference hash": (difference_hash, mirrored_difference_hash, ((0.93, 8), (0.85, 4), (0.75, 2))),
}


def main() -> None:
    """Measure, print and save the results."""
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

    def seen(content: bytes) -> tuple[NDArray[np.float32], list[int]]:
        """The vector as indexing computes it, and the hashes as the photo check computes them."""
        look = open_rgb(content, min_side=MIN_SIDE)
        vector = encoder.encode([open_rgb(content, min_side=encoder.input_size)])[0]
        return vector, [each(look) for each, _, _ in HASHES.values()]

    def looked_at(path: Path) -> list[tuple[NDArray[np.float32], list[int]]]:
        content = path.read_bytes()
        return [seen(content), *(seen(change(open_rgb(content))) for change in CHANGES.values())]

    with ThreadPoolExecutor(2) as pool:
        looks = list(pool.map(looked_at, [path for path, _ in photos]))
    vectors = np.stack([[vector for vector, _ in each] for each in looks])
    cosines = np.einsum("nd,ncd->nc", vectors[:, 0], vectors)
    products = np.array([product for _, product in photos])
    rows: list[Row] = []
    for number, (title, (_, mirror, rules)) in enumerate(HASHES.items()):
        hashes = np.array([[hashed[number] for _, hashed in each] for each in looks], dtype=np.uint64)
        mirrored = np.array([mirror(int(look)) for look in hashes[:, 0]], dtype=np.uint64)
        known = _alike(cosines, _bits(hashes[:, :1], mirrored[:, None], hashes), rules)[:, 1:].mean(axis=0)
        alike = _alike(
            vectors[:, 0] @ vectors[:, 0].T, _bits(hashes[:, :1], mirrored[:, None], hashes[None, :, 0]), rules
        )
        one, other = np.nonzero(np.triu(alike, 1) & (products[:, None] != products[None]))
        others = {tuple(sorted((products[a], products[b]))) for a, b in zip(one, other, strict=True)}
        shown = dict(zip(CHANGES, (round(float(share), 3) for share in known), strict=True))
        named = {"photos, products": f"{name}, {len(photos)}, {len(set(products))}", "by": title}
        rows.append({**named, **shown, "other pairs": len(others)})
    return rows


def _bits(hashes: NDArray[np.uint64], mirrored: NDArray[np.uint64], others: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The number of different bits, mirrored or not, whichever is smaller."""
    bits: NDArray[np.uint8] = np.minimum(np.bitwise_count(hashes ^ others), np.bitwise_count(mirrored ^ others))
    return bits


def _alike(cosines: NDArray[np.float32], bits: NDArray[np.uint8], rules: Rules) -> NDArray[np.bool_]:
    alike: NDArray[np.bool_] = np.any([(cosines >= cosine) & (bits <= most) for cosine, most in rules], axis=0)
    return alike


if __name__ == "__main__":
    main()
