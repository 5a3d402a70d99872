"""Two sellers of the same products, made of open catalogues: titles shortened, put in another order and misspelt, other photos.

`magento_luma` has several photos of most products, which are divided between the sellers; of a product with one, and in the other
catalogues, the second seller has a changed copy of the photo.
"""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.duplicates import brighter, cropped, resized, saved
from embeddings.encoders.base import Encoder
from embeddings.matching.gallery import Entry
from embeddings.matching.records import Record
from pictures.photos import open_rgb

_FEWEST_WORDS = 2
_DROPPED, _MISSPELT, _ANOTHER_ORDER = 0.25, 0.15, 0.6
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Original:
    """A product of a catalogue. photos: names of files."""

    key: str
    record: Record
    photos: Sequence[Path]


def originals(data: Path) -> dict[str, list[Original]]:
    """The products of each catalogue that have a title and a photo.

    Args:
        data: the folder that has the catalogues.

    Returns:
        Products by catalogue.
    """
    return {
        "magento_luma": list(_magento(data / "magento_luma")),
        "retail_demo_store": list(_table(data / "retail_demo_store")),
        "eshop_adventure": list(_table(data / "eshop_adventure")),
    }


def _magento(folder: Path) -> Iterator[Original]:
    products: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    with (folder / "images.csv").open() as file:
        for row in csv.DictReader(file):
            products[row["product_id"]].append(row)
    for key, rows in products.items():
        if rows[0]["name"]:
            record = Record(rows[0]["name"].strip(), description=rows[0]["description"])
            yield Original(key, record, [folder / "images" / row["file"] for row in rows])


def _table(folder: Path) -> Iterator[Original]:
    with (folder / "products.csv").open() as file:
        for row in csv.DictReader(file):
            record = Record(row["name"], row.get("brand", ""), row["description"], Decimal(row["price"]), "USD")
            yield Original(row["file"], record, [next((folder / "images").rglob(Path(row["file"]).name))])


@dataclass(frozen=True)
class Vectors:
    """float32 [dim] of each photo, and of its changed copy."""

    own: dict[Path, NDArray[np.float32]]
    changed: dict[Path, NDArray[np.float32]]


def encoded(products: Sequence[Original], encoder: Encoder) -> Vectors:
    """The vectors of all photos and of their changed copies: cropped, smaller, brighter and compressed."""
    own, changed = {}, {}
    for path in (path for product in products for path in product.photos):
        content = path.read_bytes()
        copy = saved(brighter(resized(cropped(open_rgb(content), 0.02))), 70)
        images = [open_rgb(each, min_side=encoder.input_size) for each in (content, copy)]
        own[path], changed[path] = encoder.encode(images)
    return Vectors(own, changed)


def first_seller(product: Original, vectors: Vectors) -> Entry:
    """The product as it is, with every second photo."""
    return Entry(product.record, np.stack([vectors.own[path] for path in product.photos[::2]]))


def second_seller(product: Original, vectors: Vectors, rng: random.Random) -> Entry:
    """The product as another shop describes it, with its other photos."""
    others = [vectors.own[path] for path in product.photos[1::2]] or [vectors.changed[product.photos[0]]]
    return Entry(rewritten(product.record, rng), np.stack(others))


def with_gaps(entry: Entry, rng: random.Random) -> Entry:
    """An entry that may lack its photos, description, brand or price."""
    record, drawn = entry.record, [rng.random() < part for part in (0.3, 0.3, 0.3, 0.3)]
    record = replace(
        record,
        description="" if drawn[1] else record.description,
        brand="" if drawn[2] else record.brand,
        price=None if drawn[3] else record.price,
    )
    return Entry(record) if drawn[0] else Entry(record, entry.vectors)


def rewritten(record: Record, rng: random.Random) -> Record:
    """A record with its title shortened, in another order and misspelt, a part of its description, and another price."""
    words = [word for word in record.title.split() if len(word) > 1 or rng.random() < 0.5]
    words = _shortened(words, rng)
    if rng.random() < _ANOTHER_ORDER:
        rng.shuffle(words)
    words = [_misspelt(word, rng) if rng.random() < _MISSPELT else word for word in words]
    sentences = re.split(r"(?<=[.!?])\s+", record.description)
    kept = [sentence for sentence in sentences if rng.random() < 0.5] if rng.random() < 0.7 else []
    price = record.price and round(record.price * Decimal(str(rng.uniform(0.85, 1.15))), 2)
    brand = record.brand if rng.random() < 0.7 else ""
    title = " ".join(words)
    return replace(
        record,
        title=title.upper() if rng.random() < 0.15 else title,
        description=" ".join(kept),
        brand=brand,
        price=price if rng.random() < 0.9 else None,
    )


def _shortened(words: Sequence[str], rng: random.Random) -> list[str]:
    kept = [word for word in words if rng.random() >= _DROPPED]
    if len(kept) >= min(_FEWEST_WORDS, len(words)):
        return kept
    chosen = sorted(rng.sample(range(len(words)), min(_FEWEST_WORDS, len(words))))
    return [words[i] for i in chosen]


def _misspelt(word: str, rng: random.Random) -> str:
    """One letter left out, doubled, exchanged for its neighbour, or another one."""
    if len(word) < 4 or any(map(str.isdigit, word)):
        return word
    place = rng.randrange(1, len(word) - 1)
    match rng.randrange(4):
        case 0:
            return word[:place] + word[place + 1 :]
        case 1:
            return word[:place] + word[place] + word[place:]
        case 2:
            return word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        case _:
            return word[:place] + rng.choice(_LETTERS) + word[place + 1 :]


_SIZES = [
    ("ml", (250, 330, 500, 750, 1000)),
    ("g", (100, 250, 500, 1000)),
    ("cm", (20, 30, 40, 60)),
    ("GB", (64, 128, 256)),
]
_COMMON_SIZES = [(500, "g"), (1000, "g"), (500, "ml")]
_OTHER_UNITS = {"ml": ("l", 1000), "g": ("kg", 1000), "cm": ("mm", 0.1)}


def with_details(product: Original, rng: random.Random, sized: float = 0.3) -> list[tuple[Original, Record]]:
    """A product as both sellers have it: in one size or in two, in two models, with a barcode, or as it is.

    Args:
        product: of a catalogue.
        rng: which details.
        sized: the part of the products that have one of a few sizes.

    Returns:
        The product and its sibling, if it has one: as the first seller has it, and its record before the second rewrites it.
    """
    if rng.random() < sized:
        # That two products have the same says little.
        amount, unit = rng.choice(_COMMON_SIZES)
        return [_sized(product, 0, amount, unit, rng)]
    kind = rng.random()
    if kind < 0.3:
        unit, amounts = rng.choice(_SIZES)
        return [_sized(product, number, amount, unit, rng) for number, amount in enumerate(rng.sample(amounts, 2))]
    if kind < 0.5:
        return [_of_model(product, number, rng) for number in range(2)]
    if kind < 0.65:
        own = replace(product.record, attributes={"gtin": _gtin(rng)})
        return [(replace(product, record=own), own)]
    return [(product, product.record)]


def _sized(product: Original, number: int, amount: float, unit: str, rng: random.Random) -> tuple[Original, Record]:
    record = product.record
    other_unit, size = _OTHER_UNITS.get(unit, (unit, 1))
    elsewhere = f"{amount / size:g}{other_unit}" if rng.random() < 0.5 else f"{amount}{unit}"
    own = replace(record, title=f"{record.title} {amount} {unit}")
    other = replace(record, title=f"{record.title} {elsewhere}")
    return replace(product, key=f"{product.key}-{number}", record=own), other


def _of_model(product: Original, number: int, rng: random.Random) -> tuple[Original, Record]:
    record, letters = product.record, "".join(rng.choice("ABCDEFGHKLMNPRSTVWXZ") for _ in range(2))
    digits = rng.randrange(100, 9999)
    own = replace(record, title=f"{record.title} {letters}{digits}")
    other = replace(record, title=f"{record.title} {letters}-{digits}") if rng.random() < 0.4 else own
    return replace(product, key=f"{product.key}-{number}", record=own), other


def _gtin(rng: random.Random) -> str:
    digits = [rng.randrange(10) for _ in range(12)]
    check = -(sum(digits[1::2]) * 3 + sum(digits[0::2])) % 10
    return "".join(map(str, [*digits, check]))
