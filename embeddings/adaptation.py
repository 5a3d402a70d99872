"""Adapts an encoder version to the photos of its catalogue, without labels and without training a network.

What differs between photos of one product, and between two views of one photo, does not matter; what differs between all photos
does. The map keeps the directions in which the latter is large beside the former (whitening by the covariance of matching pairs:
Mikolajczyk and Matas, 2007; Radenović et al., 2018). It is found in closed form from the vectors in the database; photos are
opened for the views alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np
from django.core.files.storage import default_storage
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from catalog.models import ProductImage
from embeddings.backends import encoder_of
from embeddings.encoders.base import Encoder
from embeddings.encoders.mapped import MappedEncoder, Turn
from embeddings.errors import AlreadyMapped, UnusablePhotos
from embeddings.mapping import register_turned_version
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.stored_vectors import vector_from_bytes
from jobs.progress import ProgressCallback
from pictures.photos import ImageRejected, open_rgb

Vectors = NDArray[np.float32]

MIN_PHOTOS = 100
MAX_PHOTOS, VIEWED = 8000, 600
# Least share of a photo's area that a view shows, and how much its brightness changes.
_AREA, _BRIGHTNESS = 0.6, 0.2
# How much the covariance of pairs is drawn to a sphere, and how far what is large is made smaller. Of settings that find as much,
# the first is taken, which changes least.
_SHRINKAGES, _POWERS = (3.0, 1.0, 0.3, 0.1), (0.0, 0.25)
# With fewer products of several photos, the choice is made by views.
_FEW_PRODUCTS = 40


@dataclass(frozen=True, slots=True)
class AdaptReport:
    """What came of it.

    Attributes:
        version: that was registered.
        photos: whose vectors were read.
        pairs: products with several photos that taught what does not matter.
        views: photos of which two views did.
        found_before: share of held-out photos whose nearest photo is of the same product (without such products: of views whose
            nearest photo is theirs), by the version as it was.
        found_after: the same by the new one.
        held_out: how many these are.
    """

    version: EncoderVersion
    photos: int
    pairs: int
    views: int
    found_before: float
    found_after: float
    held_out: int

    @property
    def is_better(self) -> bool:
        """Whether it finds more than the version as it was."""
        return self.found_after > self.found_before


@dataclass(frozen=True, slots=True)
class _Photos:
    """Vectors with their products, and of some photos (rows) the vectors of two views."""

    vectors: Vectors
    products: NDArray[np.int64]
    viewed: NDArray[np.intp]
    views: tuple[Vectors, Vectors]


def adapt(version: EncoderVersion, on_progress: ProgressCallback, *, seed: int = 0) -> AdaptReport:
    """Adapt a version, and register the result as a version of its own. It serves nothing until it is activated.

    Half of the products are learned from, a quarter chooses among a few settings, a quarter is judged.

    Args:
        version: whose photos are embedded.
        on_progress: called with the stage "views", by photos.
        seed: of the division and the views.

    Returns:
        What came of it.

    Raises:
        UnusablePhotos: too few photos are embedded.
        EncoderUnavailable: the version's model is missing, or it is a map of another version (AlreadyMapped).
        EncoderMismatch: the version's model was replaced.
    """
    encoder = encoder_of(version)
    if isinstance(encoder, MappedEncoder):
        raise AlreadyMapped(version.label)
    photos = _read(version, encoder, np.random.default_rng(seed), on_progress)
    names = np.unique(photos.products)
    group = dict(zip(names.tolist(), np.random.default_rng(seed).permutation(len(names)) % 4, strict=True))
    of = np.array([group[product] for product in photos.products.tolist()])
    learned, choosing, judged = of < 2, of == 2, of == 3
    settings = [(shrinkage, power) for shrinkage in _SHRINKAGES for power in _POWERS]
    found = [_share(photos, choosing, turn_of(*_parted(photos, learned), shrinkage=s, power=p))[0] for s, p in settings]
    shrinkage, power = settings[int(np.argmax(found))]
    before, held_out = _share(photos, judged, None)
    after, _ = _share(photos, judged, turn_of(*_parted(photos, learned), shrinkage=shrinkage, power=power))
    everything = _parted(photos, np.ones(len(of), bool))
    report = {"found_before": before, "found_after": after, "held_out": held_out}
    pairs = int((np.unique(photos.products, return_counts=True)[1] > 1).sum())
    recipe = {"adapted": version.label, "shrinkage": shrinkage, "power": power, "seed": seed, "photos": len(of)}
    turned = register_turned_version(
        version, turn_of(*everything, shrinkage=shrinkage, power=power), recipe=recipe, metrics={"adaptation": report}
    )
    return AdaptReport(turned, len(of), pairs, len(photos.viewed), before, after, held_out)


def turn_of(vectors: Vectors, differences: Vectors, *, shrinkage: float, power: float) -> Turn:
    """The map that makes little of differences that do not matter.

    Args:
        vectors: float32 [n, dim], of photos.
        differences: float32 [m, dim], between photos that are to be near each other.
        shrinkage: how much their covariance is drawn to a sphere, above 0.
        power: how far the directions of large variance are made smaller, 0 (not) to 0.5 (all alike).

    Returns:
        The map; as many dimensions as before.
    """
    mean = vectors.mean(axis=0)
    within = differences.T @ differences / len(differences)
    within += shrinkage * np.trace(within) / len(within) * np.eye(len(within))
    values, axes = np.linalg.eigh(within.astype(np.float64))
    even = (axes * values**-0.5) @ axes.T
    spread, turned = np.linalg.eigh(even @ np.cov((vectors - mean).T) @ even)
    scale = np.maximum(spread, spread.max() * 1e-6) ** -power
    return Turn(mean.astype(np.float32), (even @ turned * scale).astype(np.float32))


def _parted(photos: _Photos, rows: NDArray[np.bool_]) -> tuple[Vectors, Vectors]:
    """The vectors of these rows, and the differences that do not matter among them."""
    vectors, products = photos.vectors[rows], photos.products[rows]
    _, place, counts = np.unique(products, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), vectors.shape[1]), np.float32)
    np.add.at(means, place, vectors / counts[place][:, None])
    several = counts[place] > 1
    factor = np.sqrt(2 * counts / np.maximum(counts - 1, 1))[place][:, None]
    of_products = ((vectors - means[place]) * factor)[several]
    own = rows[photos.viewed]
    one, other = (views[own] for views in photos.views)
    of_views = np.concatenate([one - other, one - photos.vectors[photos.viewed[own]]])
    return vectors, np.concatenate([of_products, of_views]).astype(np.float32)


def _share(photos: _Photos, rows: NDArray[np.bool_], turn: Turn | None) -> tuple[float, int]:
    """Of these rows, the share whose nearest photo is the right one, and of how many."""

    def by(vectors: Vectors) -> Vectors:
        return vectors if turn is None else turn(vectors)

    vectors, products = by(photos.vectors[rows]), photos.products[rows]
    _, place, counts = np.unique(products, return_inverse=True, return_counts=True)
    asked = counts[place] > 1
    if (counts > 1).sum() >= _FEW_PRODUCTS / 4:
        cosines = vectors[asked] @ vectors.T
        cosines[np.arange(len(cosines)), np.flatnonzero(asked)] = -np.inf
        return float((products[cosines.argmax(axis=1)] == products[asked]).mean()), int(asked.sum())
    own = rows[photos.viewed]
    position = np.cumsum(rows) - 1
    nearest = (by(photos.views[0][own]) @ vectors.T).argmax(axis=1)
    return float((nearest == position[photos.viewed[own]]).mean()), int(own.sum())


def _read(
    version: EncoderVersion, encoder: Encoder, random: np.random.Generator, on_progress: ProgressCallback
) -> _Photos:
    rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False, state=ImageEmbedding.State.INDEXED)
    ids = list(rows.order_by("content_hash", "image_id").values_list("image_id", flat=True)[:MAX_PHOTOS])
    about = _about(ids)
    stored = {
        image_id: vector_from_bytes(vector or b"")
        for start in range(0, len(ids), 1000)
        for image_id, vector in rows.filter(image_id__in=ids[start : start + 1000]).values_list("image_id", "vector")
    }
    ids = [image_id for image_id in ids if image_id in about and image_id in stored]
    if len(ids) < MIN_PHOTOS:
        raise UnusablePhotos(f"{len(ids)} photos are embedded by {version.label}; an adaptation needs {MIN_PHOTOS}")
    viewed, first, second = [], [], []
    chosen = np.sort(random.permutation(len(ids))[:VIEWED])
    for number, place in enumerate(chosen.tolist(), 1):
        views = _views(about[ids[place]][1], encoder, random)
        if views is not None:
            viewed.append(place)
            first.append(views[0])
            second.append(views[1])
        on_progress("views", number, len(chosen))
    vectors = np.stack([stored[image_id] for image_id in ids])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if not viewed:
        raise UnusablePhotos("no photo can be read")
    products = np.array([about[image_id][0] for image_id in ids])
    return _Photos(vectors, products, np.array(viewed), (np.stack(first), np.stack(second)))


def _about(ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Product and file of each photo."""
    return {
        image_id: (product_id, file)
        for start in range(0, len(ids), 1000)
        for image_id, product_id, file in ProductImage.objects.filter(pk__in=ids[start : start + 1000]).values_list(
            "pk", "product_id", "file"
        )
    }


def _views(name: str, encoder: Encoder, random: np.random.Generator) -> Vectors | None:
    """The vectors of two views of a stored photo, float32 [2, dim]; None if it cannot be read."""
    try:
        with default_storage.open(name) as file:
            photo = open_rgb(cast("BinaryIO", file), min_side=encoder.input_size)
    except (OSError, ImageRejected):
        return None
    return encoder.encode([*_drawn(photo, random)])


def _drawn(photo: Image.Image, random: np.random.Generator) -> Iterator[Image.Image]:
    for _ in range(2):
        side = float(random.uniform(_AREA, 1)) ** 0.5
        width, height = max(1, int(photo.width * side)), max(1, int(photo.height * side))
        left, upper = (int(random.integers(0, rest + 1)) for rest in (photo.width - width, photo.height - height))
        view = photo.crop((left, upper, left + width, upper + height))
        view = ImageOps.mirror(view) if random.random() < 0.5 else view
        yield ImageEnhance.Brightness(view).enhance(float(random.uniform(1 - _BRIGHTNESS, 1 + _BRIGHTNESS)))
