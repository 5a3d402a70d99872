"""Labelled photos to train on and to evaluate with: where they come from, what is wrong with them, how they are split."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image

from catalog.clustering import connected_components
from catalog.json_conditions import attribute_texts
from catalog.models import Product, ProductImage
from embeddings.errors import UnusablePhotos
from embeddings.label_names import BRAND, CATEGORY, PRODUCT
from jobs.progress import ProgressCallback, StageProgress
from pictures.dominant_colour import ATTRIBUTE_NAMES
from pictures.perceptual_hash import MIN_SIDE, perceptual_hash
from pictures.photos import SUFFIXES, ImageRejected, open_rgb, read_limited
from product_files.containers.archives import SafeArchive, wrapping_folder

METADATA = "metadata.csv"

# Fewer photos than this teach a class nothing.
SMALL_CLASS = 5
# From this ratio of the largest to the smallest class on, the set is called imbalanced.
IMBALANCE = 10.0

_DELIMITERS = ",;\t"
_FILE_COLUMNS = ("file", "filename", "image", "path", "photo")
_PRODUCT_COLUMNS = ("product_id", "product", "sku")
_LABEL_COLUMNS = ("category", "class", "label", "categories", "type")

# Maximum differences of near-duplicates: bits of the perceptual hash, and mean levels of colour (8 x 8 x RGB).
_HASH_BITS = 7
_COLOUR_LEVELS = 6.0
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """A photo of a set.

    Attributes:
        name: path within the set.
        label: of its class; "" for none.
        product: what it shows; "" where that is unknown.
        source: a file, its name in the media storage, or its pixels, uint8 [height, width] or [height, width, 3].
        attributes: what else is known of it, such as brand and colour: texts by name.
    """

    name: str
    label: str
    product: str
    source: Path | str | NDArray[np.uint8]
    attributes: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Its category (the label), its product, or an attribute, without regard to case and spaces; "" where it is unknown.

        Args:
            name: of the attribute; one with the colour may have another of its names, such as color or farbe.

        Returns:
            The value.
        """
        if name in (CATEGORY, PRODUCT):
            return self.label if name == CATEGORY else self.product
        texts = (_folded(text) for other, text in self.attributes.items() if _is_attribute(other, name))
        return next((text for text in texts if text), "")

    @property
    def known(self) -> list[str]:
        """The names for which it has a value."""
        return [name for name in (CATEGORY, PRODUCT, *self.attributes) if self.value(name)]

    def content(self) -> bytes:
        """The file's bytes. Raises ImageRejected where it cannot be read or is too large, OSError where the storage fails."""
        if isinstance(self.source, np.ndarray):
            file = io.BytesIO()
            Image.fromarray(self.source).save(file, "PNG")
            return file.getvalue()
        if isinstance(self.source, Path):
            return read_limited(self.source)
        with default_storage.open(self.source) as stored:
            return read_limited(cast("BinaryIO", stored))

    def image(self, *, at_least: int | None = None) -> Image.Image:
        """The photo, upright, RGB; of a larger file at least so many pixels wide and high. Raises ImageRejected."""
        if isinstance(self.source, np.ndarray):
            return Image.fromarray(self.source).convert("RGB")
        return open_rgb(self.content(), min_side=at_least)


@dataclass(frozen=True)
class PhotoSet:
    """Labelled photos, in the order of their names."""

    title: str
    photos: Sequence[LabelledPhoto]

    def of_classes(self) -> PhotoSet:
        """The photos that have a label."""
        known = [photo for photo in self.photos if photo.label]
        if not known:
            raise UnusablePhotos(f"{self.title} has no photo of a class: put photos into folders, a folder a class")
        return PhotoSet(self.title, known)

    def sample(self, most: int, *, seed: int = 0) -> PhotoSet:
        """At most so many of the photos, drawn at random."""
        if len(self.photos) <= most:
            return self
        rows = np.sort(np.random.default_rng(seed).choice(len(self.photos), most, replace=False))
        return PhotoSet(self.title, [self.photos[row] for row in rows.tolist()])

    def with_products(self) -> PhotoSet:
        """The photos whose product is known. Raises UnusablePhotos where there are none."""
        known = [photo for photo in self.photos if photo.product]
        if not known:
            raise UnusablePhotos(
                f"{self.title} does not say which product its photos show: add a {METADATA} with the columns file and product_id"
            )
        return PhotoSet(self.title, known)

    def of_products(self) -> PhotoSet:
        """The photos whose product is known, each labelled by it. Raises UnusablePhotos where there are none."""
        return PhotoSet(self.title, [replace(photo, label=photo.product) for photo in self.with_products().photos])


def read_photos(source: Path, metadata: Path | None, unpacked: Path) -> PhotoSet:
    """The photos of a folder, or of a zip, which is unpacked into the folder `unpacked`. Raises UnusablePhotos, ArchiveRejected."""
    if source.is_dir():
        return read_folder(source, metadata)
    if not source.is_file():
        raise UnusablePhotos(f"{source} is not a folder, and not a zip either")
    with SafeArchive(source) as archive:
        archive.extract_to(unpacked)
    return read_folder(unwrapped(unpacked), metadata, title=source.name)


def read_folder(folder: Path, metadata: Path | None = None, *, title: str | None = None) -> PhotoSet:
    """The photos below a folder: the folder that one lies in is its label.

    Args:
        folder: one folder per class, at any depth.
        metadata: a CSV file with a row per photo (default: metadata.csv in the folder, if there is one). Its columns: file (path
            below the folder), product_id, and category where the folders are not the classes.
        title: name of the set; default: the folder's.

    Returns:
        The photos, in the order of their names.

    Raises:
        UnusablePhotos: the folder or the CSV cannot be read, or there is no photo.
    """
    if not folder.is_dir():
        raise UnusablePhotos(f"{folder} is not a folder")
    table = metadata or (folder / METADATA if (folder / METADATA).is_file() else None)
    metadata_of = _read_metadata(table) if table else {}
    photos = []
    for path in sorted(_files(folder)):
        name = path.relative_to(folder).as_posix()
        about = metadata_of.get(name) or metadata_of.get(path.name) or _Metadata()
        label = about.label or PurePosixPath(name).parent.as_posix()
        # A photo beside the folders has no label, but may show a product that has others.
        if label != "." or about.product:
            photos.append(LabelledPhoto(name, "" if label == "." else label, about.product, path, about.attributes))
    if not photos:
        raise UnusablePhotos(
            f"{title or folder} has no folder with photos: a folder is a class,"
            " and its JPEG, PNG and WebP files are its photos"
        )
    return PhotoSet(title or folder.name, photos)


def read_catalogue(title: str, images: Iterable[ProductImage]) -> PhotoSet:
    """The catalogue's own photos: the label is the category's path, photos without one are left out. Raises UnusablePhotos."""
    photos = [
        LabelledPhoto(
            f"image-{image.pk}",
            image.product.category.path,
            str(image.product_id),
            str(image.file.name),
            _attributes_of(image.product),
        )
        for image in images
        if image.product.category is not None
    ]
    if not photos:
        raise UnusablePhotos(f"{title} has no photo of a product that has a category: give its products categories")
    return PhotoSet(title, photos)


def _is_attribute(name: str, asked: str) -> bool:
    name, asked = _folded(name), _folded(asked)
    return name == asked or {name, asked} <= ATTRIBUTE_NAMES


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def classes_in(names: Iterable[str]) -> Counter[str]:
    """How many photos each class has, by the paths of an archive's files; the folder in which all of them lie is no class."""
    paths = [PurePosixPath(name) for name in names]
    photos = [path for path in paths if path.suffix.lower() in SUFFIXES]
    root = wrapping_folder(photos)
    labels = [path.relative_to(root).parent.as_posix() for path in photos]
    return Counter(label for label in labels if label != ".")


def unwrapped(folder: Path) -> Path:
    """The folder of an unpacked archive that holds the classes: its only folder, where that has folders of photos in it."""
    return folder / wrapping_folder([PurePosixPath(path.relative_to(folder).as_posix()) for path in _files(folder)])


def _files(folder: Path) -> list[Path]:
    return [
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


@dataclass(frozen=True, slots=True)
class _Metadata:
    product: str = ""
    label: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


def _read_metadata(path: Path) -> dict[str, _Metadata]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            reader = csv.DictReader(file, delimiter=max(_DELIMITERS, key=head.count))
            columns = [(name or "").strip().lower() for name in reader.fieldnames or ()]
            reader.fieldnames = columns
            named = _one_of(columns, _FILE_COLUMNS)
            product, label = _one_of(columns, _PRODUCT_COLUMNS), _one_of(columns, _LABEL_COLUMNS)
            if named is None or (product is None and label is None):
                raise UnusablePhotos(
                    f"{path} has the columns {', '.join(columns) or 'none'}: it needs file, and product_id or category"
                )
            further = [name for name in columns if name and name not in (named, product, label)]
            return {
                (row[named] or "").strip().removeprefix("./"): _Metadata(
                    (row.get(product or "") or "").strip(),
                    _first_category(row.get(label or "") or ""),
                    {name: row[name] for name in further if row[name]},
                )
                for row in reader
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnusablePhotos(f"{path} cannot be read as CSV in UTF-8: {error}. Save it as such") from error


def _attributes_of(product: Product) -> dict[str, str]:
    attributes = {
        name: ", ".join(attribute_texts(value))
        for name, value in product.attributes.items()
        if value is not None and not isinstance(value, dict)
    }
    return {**attributes, BRAND: product.brand} if product.brand else attributes


def _one_of(columns: Sequence[str], names: Sequence[str]) -> str | None:
    return next((name for name in names if name in columns), None)


def _first_category(text: str) -> str:
    """A product may stand in several categories, divided by commas; the first is meant."""
    return text.split(",")[0].strip().strip("/")


@dataclass(frozen=True, slots=True)
class PhotoFingerprint:
    """What distinguishes photos.

    Attributes:
        sha256: hash of the file, hexadecimal.
        perceptual_hash: see `pictures.perceptual_hash`.
        colours: coarse colours, uint8 [192].
    """

    sha256: str
    perceptual_hash: int
    colours: NDArray[np.uint8]


@dataclass(frozen=True)
class Inspection:
    """What reading every photo of a set found.

    Attributes:
        photos: those that can be used, one of each content, in order.
        fingerprints: one of each of them.
        groups: int [n]; photos that must not be divided by a split (of one product, or next to identical) share a number.
        unreadable: name and reason of photos that cannot be used.
        duplicates: names of photos that are copies, each with the name of the first.
        near_duplicates: how many photos are next to identical with another.
    """

    photos: Sequence[LabelledPhoto]
    fingerprints: Sequence[PhotoFingerprint]
    groups: NDArray[np.int64]
    unreadable: Sequence[tuple[str, str]] = ()
    duplicates: Sequence[tuple[str, str]] = ()
    near_duplicates: int = 0

    @property
    def hashes(self) -> list[str]:
        """SHA-256 of each photo."""
        return [fingerprint.sha256 for fingerprint in self.fingerprints]

    def counts(self) -> Counter[str]:
        """Photos a class."""
        return Counter(photo.label for photo in self.photos)

    def problems(self) -> list[str]:
        """What is wrong with the set, each in a sentence with its count; nothing where all is well."""
        found = []
        if self.unreadable:
            first, reason = self.unreadable[0]
            found.append(f"{len(self.unreadable)} unreadable photos are left out; the first: {first}: {reason}")
        if self.duplicates:
            one, other = self.duplicates[0]
            found.append(f"{len(self.duplicates)} photos are left out as copies of others; the first: {one} of {other}")
        if self.near_duplicates:
            found.append(
                f"{self.near_duplicates} photos are next to identical with another; they are kept on one side of the split"
            )
        counts = self.counts()
        small = sorted(label for label, count in counts.items() if count < SMALL_CLASS)
        if small:
            found.append(f"{len(small)} classes have fewer than {SMALL_CLASS} photos: {_listed(small)}")
        if counts and max(counts.values()) > IMBALANCE * min(counts.values()):
            most, least = counts.most_common()[0], counts.most_common()[-1]
            found.append(f"the classes are imbalanced: {most[0]} has {most[1]} photos, {least[0]} has {least[1]}")
        return found


def inspect(photo_set: PhotoSet, *, stage: str = "photos", on_progress: ProgressCallback | None = None) -> Inspection:
    """Read every photo once. Photos that cannot be used and copies of photos are left out, and listed.

    Args:
        photo_set: the photos.
        stage: what the progress is called.
        on_progress: called after each photo.

    Returns:
        The photos that can be used, and what is wrong with the others.
    """
    progress = StageProgress(on_progress, stage, len(photo_set.photos))
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        read = []
        for fingerprint in pool.map(_fingerprint, photo_set.photos):
            read.append(fingerprint)
            progress.advance()
    kept: list[int] = []
    unreadable, duplicates = [], []
    first_of: dict[str, str] = {}
    for number, (photo, fingerprint) in enumerate(zip(photo_set.photos, read, strict=True)):
        if isinstance(fingerprint, str):
            unreadable.append((photo.name, fingerprint))
        elif fingerprint.sha256 in first_of:
            duplicates.append((photo.name, first_of[fingerprint.sha256]))
        else:
            first_of[fingerprint.sha256] = photo.name
            kept.append(number)
    photos = [photo_set.photos[number] for number in kept]
    fingerprints = [cast("PhotoFingerprint", read[number]) for number in kept]
    near = _near_duplicates(fingerprints)
    return Inspection(
        photos,
        fingerprints,
        _groups(photos, near),
        unreadable,
        duplicates,
        len({number for pair in near for number in pair}),
    )


def count_common_photos(one: Inspection, other: Inspection) -> int:
    """How many photos of `one` are in `other` too, identical or next to it. For sets that were divided by somebody else."""
    border = len(one.fingerprints)
    pairs = _near_duplicates([*one.fingerprints, *other.fingerprints])
    return len({first for first, second in pairs if first < border <= second})


def _fingerprint(photo: LabelledPhoto) -> PhotoFingerprint | str:
    """The fingerprint of a photo, or why it cannot be used."""
    try:
        content = photo.content()
        image = open_rgb(content, min_side=MIN_SIDE)
    except ImageRejected as error:
        return str(error)
    except OSError as error:
        return f"it cannot be read: {error.strerror or error}"
    colours = np.asarray(image.resize((8, 8), Image.Resampling.BOX)).ravel()
    return PhotoFingerprint(hashlib.sha256(content).hexdigest(), perceptual_hash(image), colours)


def _near_duplicates(fingerprints: Sequence[PhotoFingerprint]) -> list[tuple[int, int]]:
    """Pairs of near-duplicates, by perceptual hash and colours. Every photo is compared with every other, in blocks.

    Args:
        fingerprints: one per photo.

    Returns:
        Numbers of two photos each, ascending.
    """
    hashes = np.array([fingerprint.perceptual_hash for fingerprint in fingerprints], dtype=np.uint64)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(hashes), _BLOCK):
        rows = hashes[start : start + _BLOCK, None]
        for other_start in range(start, len(hashes), _BLOCK):
            similar = np.bitwise_count(rows ^ hashes[None, other_start : other_start + _BLOCK]) <= _HASH_BITS
            one, other = np.nonzero(np.triu(similar, 1) if other_start == start else similar)
            pairs += zip((one + start).tolist(), (other + other_start).tolist(), strict=True)
    return sorted(pair for pair in pairs if _have_same_colours(*(fingerprints[number] for number in pair)))


def _have_same_colours(one: PhotoFingerprint, other: PhotoFingerprint) -> bool:
    difference = np.abs(one.colours.astype(np.int16) - other.colours).mean()
    return bool(difference <= _COLOUR_LEVELS)


def _groups(photos: Sequence[LabelledPhoto], near: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    """Union of what belongs together: the number of the first photo of each group."""
    first_of: dict[str, int] = {}
    same_product = [
        (first_of.setdefault(photo.product, number), number) for number, photo in enumerate(photos) if photo.product
    ]
    first = connected_components([*same_product, *near])
    return np.array([first.get(number, number) for number in range(len(photos))], dtype=np.int64)


@dataclass(frozen=True)
class Split:
    """Positions of the photos to train on and to validate with, ascending: int [n] each."""

    train: NDArray[np.int64]
    validation: NDArray[np.int64]


def split(inspection: Inspection, *, fraction: float = 0.15, seed: int = 0) -> Split:
    """Divide each class at random, a group never; every class keeps a group to train on.

    Args:
        inspection: the photos and their groups.
        fraction: share of each class's photos to validate with. A group with most of its class's photos is trained on.
        seed: of the random numbers.

    Returns:
        Positions of both parts.

    Raises:
        UnusablePhotos: the fraction is not between 0 and 1, or no class can be divided.
    """
    if not 0 < fraction < 1:
        raise UnusablePhotos(f"the share to validate with is {fraction}: it lies between 0 and 1")
    random = np.random.default_rng(seed)
    by_label: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
    owner: dict[int, str] = {}
    for number, (photo, group) in enumerate(zip(inspection.photos, inspection.groups.tolist(), strict=True)):
        # A group with photos of several classes counts for the class of its first.
        label = owner.setdefault(group, photo.label)
        by_label[label].setdefault(group, []).append(number)
    validation: list[int] = []
    for label in sorted(by_label):
        members = list(by_label[label].values())
        count = sum(map(len, members))
        wanted = max(1.0, fraction * count)
        taken = 0
        for position in random.permutation(len(members))[1:]:
            if 2 * len(members[position]) > count:
                continue
            if taken >= wanted or (taken and taken + len(members[position]) > 1.5 * wanted):
                break
            validation += members[position]
            taken += len(members[position])
    if not validation:
        raise UnusablePhotos(
            "no class can be divided into photos to train on and photos to validate with: give each class a few more photos"
            " of different products"
        )
    chosen = np.zeros(len(inspection.photos), dtype=bool)
    chosen[validation] = True
    return Split(np.flatnonzero(~chosen), np.flatnonzero(chosen))


@dataclass(frozen=True)
class Manifest:
    """What an encoder was trained and validated with: a row a photo, and what was found wrong with the set."""

    title: str
    photos: Sequence[Mapping[str, str]]
    problems: Sequence[str] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        """For the file that lies with the encoder."""
        return {**self.summary(), "photos": list(self.photos)}

    def summary(self) -> dict[str, Any]:
        """Counts by split and class, and the hash of the rows."""
        splits: dict[str, dict[str, int]] = {}
        for row in self.photos:
            counts = splits.setdefault(row["split"], {})
            counts[row["label"]] = counts.get(row["label"], 0) + 1
        rows = json.dumps(list(self.photos), sort_keys=True).encode()
        return {
            "title": self.title,
            "sha256": hashlib.sha256(rows).hexdigest(),
            "count": len(self.photos),
            "products": len({row["product"] for row in self.photos if row["product"]}),
            "splits": splits,
            "problems": list(self.problems),
        }


def manifest_rows(inspection: Inspection, positions: Iterable[int], name: str) -> list[dict[str, str]]:
    """The manifest's rows of one split."""
    return [
        {
            "name": inspection.photos[number].name,
            "sha256": inspection.hashes[number],
            "label": inspection.photos[number].label,
            "product": inspection.photos[number].product,
            "split": name,
        }
        for number in positions
    ]


def _listed(names: Sequence[str], most: int = 5) -> str:
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
