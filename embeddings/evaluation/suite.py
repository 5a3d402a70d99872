"""The regression suite of an encoder: every set of labelled photos in a folder, each evaluated in its own way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from embeddings.dataset import PhotoSet, read_folder
from embeddings.encoders.base import Encoder
from embeddings.errors import UnusablePhotos
from embeddings.evaluation.photos import EmbeddedPhotos, embed_photos
from embeddings.evaluation.protocols import EvaluationResult, EvaluationSplit, evaluate

TRAIN, VALIDATION = "train", ("validation", "val")
IMAGES, PHOTOS = "images", "photos"
BY_PRODUCT, BY_CLASS = "images.csv", "products.csv"

CHOICES, FIGURES = "choices", "figures"


@dataclass(frozen=True)
class SuiteSet:
    """A set of the suite.

    Attributes:
        name: of its folder.
        level: what has to be found: "class" or "product".
        split: its photos.
        divided: whether the queries are divided in two: one half to make choices with, the other to show figures of.
    """

    name: str
    level: str
    split: EvaluationSplit
    divided: bool


@dataclass(frozen=True)
class SuiteRow:
    """One line of the suite's table. used_for: "choices" or "figures"."""

    set: SuiteSet
    used_for: str
    result: EvaluationResult


def find_sets(folder: Path) -> list[SuiteSet]:
    """The sets of labelled photos below a folder, or in the folder `data` in it.

    Args:
        folder: one folder a set. A set is one of: `train` with `validation` or `val`, folder = class, where each validation photo
            searches the photos to train on; `images` with `images.csv` (file, product_id), where each photo searches the others
            for its product; `images` with `products.csv` (file and category, class or type), where each searches the others for its
            class; `photos`, folder = class, in the same way. Other folders hold no photos, and are passed over.

    Returns:
        The sets, in the order of their names.

    Raises:
        UnusablePhotos: there is no set, or a set's photos cannot be read.
    """
    root = folder / "data" if (folder / "data").is_dir() else folder
    if not root.is_dir():
        raise UnusablePhotos(f"{folder} is not a folder")
    found = [suite_set for path in sorted(root.iterdir()) if path.is_dir() and (suite_set := _read_set(path))]
    if not found:
        raise UnusablePhotos(
            f"{folder} has no set of photos: a set is a folder with train and validation, images and images.csv or products.csv,"
            " or photos"
        )
    return found


def run_suite(sets: Sequence[SuiteSet], encoders: Mapping[str, Encoder]) -> Iterator[SuiteRow]:
    """Evaluate encoders on every set, set by set.

    Args:
        sets: from `find_sets`.
        encoders: by name.

    Yields:
        A row for each set, its purpose and encoder.

    Raises:
        UnusablePhotos: no photo of a set can be read.
        ValueError: no query of a set has a match.
    """
    for suite_set in sets:
        for name, encoder in encoders.items():
            split = suite_set.split
            queries = embed_photos(encoder, split.queries.photos, f"{name}: {suite_set.name}")
            gallery = (
                queries
                if split.gallery is None
                else embed_photos(encoder, split.gallery.photos, f"{name}: {suite_set.name}, gallery")
            )
            for used_for, part in _parts(queries) if suite_set.divided else [(FIGURES, queries)]:
                yield SuiteRow(suite_set, used_for, evaluate(name, encoder.fingerprint, part, gallery))


def is_for_choices(name: str) -> bool:
    """Which half of the queries a photo belongs to, by its name alone: the same for every encoder, today and later."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def _parts(queries: EmbeddedPhotos) -> list[tuple[str, EmbeddedPhotos]]:
    chosen = [is_for_choices(photo.name) for photo in queries.photos]
    return [
        (
            used_for,
            EmbeddedPhotos(
                [photo for photo, mine in zip(queries.photos, chosen, strict=True) if mine is wanted],
                queries.embeddings[[mine is wanted for mine in chosen]],
            ),
        )
        for used_for, wanted in ((CHOICES, True), (FIGURES, False))
    ]


def _read_set(path: Path) -> SuiteSet | None:
    validation = next((path / name for name in VALIDATION if (path / name).is_dir()), None)
    if validation is not None and (path / TRAIN).is_dir():
        split = EvaluationSplit(_classes(validation), _classes(path / TRAIN))
        return SuiteSet(path.name, "class", split, divided=True)
    images = path / IMAGES
    if images.is_dir() and (path / BY_PRODUCT).is_file():
        products = read_folder(images, path / BY_PRODUCT, title=path.name).of_products()
        return SuiteSet(path.name, "product", EvaluationSplit(products, None), divided=False)
    if images.is_dir() and (path / BY_CLASS).is_file():
        classes = read_folder(images, path / BY_CLASS, title=path.name).of_classes()
        return SuiteSet(path.name, "class", EvaluationSplit(classes, None), divided=False)
    if (path / PHOTOS).is_dir():
        return SuiteSet(path.name, "class", EvaluationSplit(_classes(path / PHOTOS), None), divided=False)
    return None


def _classes(folder: Path) -> PhotoSet:
    return read_folder(folder).of_classes()
