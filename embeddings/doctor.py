"""The catalogue doctor: finds what looks wrong with products, from the vectors that the database has, and colours from pixels.

Nothing is encoded, and a running server may hold the index. Vectors are in a temporary file, so that memory stays small.
"""

from __future__ import annotations

import tempfile
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from numpy.typing import NDArray

from catalog.models import Product, ProductImage
from embeddings.errors import NoActiveVersion
from embeddings.label_noise import judge_labels
from embeddings.models import Collection, Diagnosis, EncoderVersion, ImageEmbedding
from jobs.progress import ProgressCallback, StageProgress
from pictures.dominant_colour import ATTRIBUTE_NAMES, colour_shares, colour_terms, may_be
from pictures.photos import ImageRejected, open_rgb

Kind = Diagnosis.Kind
Decision = Diagnosis.Decision
State = ImageEmbedding.State

COLLECTION = "all"
# How much more probable another category has to be than the product's own. Measured: docs/how-to/doctor.md.
LISTED_FROM = 0.6
# A photo is of another product if it is by so much nearer to that one's photo than to its own product's others, and that photo is
# the same picture, or near and of another category: products of one kind look alike, and a detail looks like nothing else.
_FOREIGN_COSINE, _FOREIGN_LEAD = 0.8, 0.3
# A photo that so many products have is a chart or a placeholder, not a mistake of one product.
_SHARED_BY = 4
_SAME_PICTURE = 0.999
# A photo shows no product if its nearest neighbour is so far away: so many deviations, and so much cosine, below the median.
_OUTLIER_DEVIATIONS, _OUTLIER_DROP = 6.0, 0.25
# Fewer photos do not show what is usual.
_MIN_PHOTOS = 100
# With more photos than these, neighbours are looked for in a sample.
_MAX_GALLERY = 50_000
_EVIDENCE = 3
_FOUND = ("suggestion", "confidence", "evidence")
_READ, _BLOCK, _COLOUR_BATCH, _WRITE = 1000, 512, 256, 500
# How much of what is shown must have a colour to suggest it for a product that says none.
_DOMINANT = 0.6
# A colour is wrong if so little may be called by it, while so much has one other colour, or may be called by that.
_WRONG_AT_MOST, _OTHER_AT_LEAST, _OTHER_MAY_BE = 0.1, 0.4, 0.6
# A colour is missing where this share of the products of the category have one.
_USUAL_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """Something that looks wrong; see Diagnosis."""

    kind: str
    product: int
    suggestion: str
    confidence: float
    photo: int = 0
    evidence: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class DoctorReport:
    """What a search found.

    Attributes:
        products: how many were looked at.
        photos: how many were looked at.
        open: open findings by kind.
        new: how many were not known before.
    """

    products: int
    photos: int
    open: Mapping[str, int]
    new: int


@dataclass(slots=True)
class _Catalogue:
    """What is known of the photos, in the order of their vectors.

    Attributes:
        images: int64 [n], ids.
        products: int64 [n], ids.
        families: int64 [n], ids of the main products.
        vectors: float16 [n, dim], mapped from a file.
        categories: path by product; products without one are left out.
        main: row of each product's first photo.
        relatives: paths by product that are no mistake: other categories.
    """

    images: NDArray[np.int64]
    products: NDArray[np.int64]
    families: NDArray[np.int64]
    vectors: NDArray[np.float16]
    categories: Mapping[int, str]
    main: Mapping[int, int]
    relatives: Mapping[int, set[str]] = field(default_factory=dict)


def examine(on_progress: ProgressCallback) -> DoctorReport:
    """Look for what is wrong with the active products, and store it for review. An interrupted search stores nothing.

    What was decided stays decided. Open findings that are not found again are dropped.

    Args:
        on_progress: called with the stages "reading vectors", "judging", "comparing photos" and "looking at colours".

    Returns:
        What was found.

    Raises:
        NoActiveVersion: the collection `all` has none.
    """
    collection = Collection.objects.filter(slug=COLLECTION).select_related("active_version__collection").first()
    if collection is None or collection.active_version is None:
        raise NoActiveVersion(COLLECTION)
    with tempfile.TemporaryDirectory(prefix="doctor-") as folder:
        catalogue = _read(collection.active_version, Path(folder) / "vectors", on_progress)
        found = [
            *_wrong_categories(catalogue, on_progress),
            *_wrong_photos(catalogue, on_progress),
            *_wrong_colours(on_progress),
        ]
    new = _store(found)
    counts: dict[str, int] = dict.fromkeys(Kind.values, 0)
    for kind in Diagnosis.objects.filter(decision=Decision.OPEN).values_list("kind", flat=True):
        counts[kind] += 1
    return DoctorReport(len(catalogue.main), len(catalogue.images), counts, new)


def _read(version: EncoderVersion, path: Path, on_progress: ProgressCallback) -> _Catalogue:
    """Write the vectors of the active products' usable photos to a file, and read what they are of."""
    rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False)
    rows = rows.exclude(state__in=(State.PENDING, State.REMOVED)).order_by("pk")
    progress, last = StageProgress(on_progress, "reading vectors", rows.count()), 0
    images, products, families = array("q"), array("q"), array("q")
    first: dict[int, tuple[int, int, int]] = {}
    with path.open("wb") as file:
        while batch := list(rows.filter(pk__gt=last).values_list("pk", "image_id", "vector")[:_READ]):
            last = batch[-1][0]
            vectors = {image_id: vector for _, image_id, vector in batch}
            for image_id, product_id, main, position in _usable(list(vectors)):
                file.write(vectors[image_id] or b"")
                place = (position, image_id, len(images))
                first[product_id] = min(first.get(product_id, place), place)
                images.append(image_id)
                products.append(product_id)
                families.append(main or product_id)
            progress.advance(len(batch))
    vectors_of_all = (
        np.memmap(path, dtype="<f2", mode="r").reshape(-1, version.dim)
        if images
        else np.empty((0, version.dim), np.float16)
    )
    categories = dict(
        Product.objects.filter(active=True, category__isnull=False).values_list("pk", "category__path").iterator()
    )
    relatives: dict[int, set[str]] = defaultdict(set)
    through = Product.other_categories.through.objects
    for product_id, other in through.values_list("product", "category__path").iterator():
        relatives[product_id].add(other)
    return _Catalogue(
        np.array(images, dtype=np.int64),
        np.array(products, dtype=np.int64),
        np.array(families, dtype=np.int64),
        vectors_of_all,
        categories,
        {product_id: row for product_id, (_, _, row) in first.items()},
        relatives,
    )


def _usable(image_ids: Sequence[int]) -> list[tuple[int, int, int | None, int]]:
    """Id, product, main product and position of photos that show their product."""
    images = ProductImage.objects.compared().filter(pk__in=image_ids, product__active=True)
    return list(images.order_by("pk").values_list("pk", "product", "product__variant_of", "position"))


def _wrong_categories(catalogue: _Catalogue, on_progress: ProgressCallback) -> Iterator[Found]:
    """Products whose main photo looks like another category, and the most similar products there."""
    products = [product_id for product_id in catalogue.main if product_id in catalogue.categories]
    if not products:
        return
    rows = np.array([catalogue.main[product_id] for product_id in products])
    paths, labels = np.unique([catalogue.categories[product_id] for product_id in products], return_inverse=True)
    judgement = judge_labels(catalogue.vectors[rows], labels.astype(np.int64), on_progress=on_progress)
    listed = np.flatnonzero(judgement.margin >= LISTED_FROM)
    # By the category that they look like, whose vectors are read once.
    listed = listed[np.argsort(judgement.suggested[listed], kind="stable")]
    read, there, vectors = -1, np.empty(0, np.int64), np.empty((0, 0), np.float32)
    for place in listed.tolist():
        product_id, path = products[place], str(paths[judgement.suggested[place]])
        own = catalogue.categories[product_id]
        # A broader or narrower category is a matter of taste.
        if _is_within(own, path) or _is_within(path, own) or path in catalogue.relatives.get(product_id, ()):
            continue
        if read != judgement.suggested[place]:
            read = int(judgement.suggested[place])
            there = rows[labels == read]
            vectors = _unit(catalogue.vectors[there])
        near = vectors @ _unit(catalogue.vectors[rows[place]][None])[0]
        evidence = catalogue.images[there[np.argsort(-near)[:_EVIDENCE]]].tolist()
        yield Found(Kind.CATEGORY, product_id, path, float(judgement.margin[place]), evidence=evidence)


def _is_within(path: str, ancestor: str) -> bool:
    return f"{path}/".startswith(f"{ancestor}/")


def _wrong_photos(catalogue: _Catalogue, on_progress: ProgressCallback) -> Iterator[Found]:
    """Photos of other products, and photos that are like no other."""
    total = len(catalogue.images)
    if total < _MIN_PHOTOS:
        return
    random = np.random.default_rng(0)
    gallery = np.sort(random.choice(total, min(total, _MAX_GALLERY), replace=False))
    there = _unit(catalogue.vectors[gallery])
    nearest, nearest_row, sharing = (
        np.zeros(total, np.float32), np.zeros(total, np.int64), np.zeros(total, np.int64)
    )  # fmt: skip
    progress = StageProgress(on_progress, "comparing photos", total)
    for start in range(0, total, _BLOCK):
        block = slice(start, min(start + _BLOCK, total))
        cosines = _unit(catalogue.vectors[block]) @ there.T
        cosines[catalogue.families[block][:, None] == catalogue.families[gallery][None, :]] = -1
        best = cosines.argmax(axis=1)
        nearest[block] = cosines[np.arange(len(best)), best]
        nearest_row[block] = gallery[best]
        sharing[block] = (cosines >= _SAME_PICTURE).sum(axis=1)
        progress.advance(len(best))
    siblings = _nearest_siblings(catalogue, sharing < _SHARED_BY)
    median = float(np.median(nearest))
    deviation = 1.4826 * float(np.median(np.abs(nearest - median)))
    usual = median - max(_OUTLIER_DEVIATIONS * deviation, _OUTLIER_DROP)
    for row in range(total):
        product_id, image_id = int(catalogue.products[row]), int(catalogue.images[row])
        lead = float(nearest[row] - siblings[row])
        other = int(nearest_row[row])
        if (
            siblings[row] > -1
            and lead >= _FOREIGN_LEAD
            and sharing[row] < _SHARED_BY
            and (
                nearest[row] >= _SAME_PICTURE
                or (
                    nearest[row] >= _FOREIGN_COSINE
                    and _are_strangers(catalogue, product_id, int(catalogue.products[other]))
                )
            )
        ):
            evidence = [int(catalogue.images[other])]
            yield Found(
                Kind.FOREIGN_PHOTO, product_id, str(catalogue.products[other]), min(lead, 1.0), image_id, evidence
            )
        elif nearest[row] < usual and siblings[row] < usual:
            confidence = min(1.0, (median - float(nearest[row])) / max(median, 1e-6))
            yield Found(Kind.NO_PRODUCT, product_id, "", confidence, image_id)


def _are_strangers(catalogue: _Catalogue, one: int, other: int) -> bool:
    """Whether two products are of categories of which neither is within the other."""
    paths = [catalogue.categories.get(product_id) for product_id in (one, other)]
    return all(paths) and not _is_within(str(paths[0]), str(paths[1])) and not _is_within(str(paths[1]), str(paths[0]))


def _nearest_siblings(catalogue: _Catalogue, usable: NDArray[np.bool_]) -> NDArray[np.float32]:
    """float32 [n]: cosine to the nearest other usable photo of the same product; -1 without one."""
    nearest = np.full(len(catalogue.products), -1, np.float32)
    order = np.argsort(catalogue.products, kind="stable")
    bounds = np.flatnonzero(np.diff(catalogue.products[order])) + 1
    for rows in np.split(order, bounds):
        if len(rows) > 1:
            unit = _unit(catalogue.vectors[rows])
            cosines = unit @ unit.T
            np.fill_diagonal(cosines, -1)
            cosines[:, ~usable[rows]] = -1
            nearest[rows] = cosines.max(axis=1)
    return nearest


def _wrong_colours(on_progress: ProgressCallback) -> Iterator[Found]:
    """Products whose colour is not that of their main photo, or that have none where others of their category do."""
    products = Product.objects.filter(active=True).order_by("pk")
    counts: dict[int | None, list[int]] = defaultdict(lambda: [0, 0])
    names: Counter[str] = Counter()
    for category_id, attributes in products.values_list("category", "attributes").iterator(chunk_size=_READ):
        said = _colour_attribute(attributes)
        counts[category_id][0] += 1
        counts[category_id][1] += said is not None
        names.update([said[0]] if said else ())
    usual = {category for category, (total, coloured) in counts.items() if coloured >= _USUAL_SHARE * total}
    looked_at = products.filter(category__in=[category for category, (_, coloured) in counts.items() if coloured])
    progress, last = StageProgress(on_progress, "looking at colours", looked_at.count()), 0
    name = names.most_common(1)[0][0] if names else ""
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        while batch := list(looked_at.filter(pk__gt=last).only("category", "attributes")[:_COLOUR_BATCH]):
            last = batch[-1].pk
            photos = _main_photos([product.pk for product in batch])
            shares = dict(zip(photos, pool.map(_shares_of, [file for _, file in photos.values()]), strict=True))
            for product in batch:
                if shares.get(product.pk):
                    image_id = photos[product.pk][0]
                    yield from _judged_colour(product, shares[product.pk], image_id, usual, name)
            progress.advance(len(batch))


def _judged_colour(
    product: Product, shares: Mapping[str, float], image_id: int, usual: set[int | None], name: str
) -> Iterator[Found]:
    dominant, share = next(iter(shares.items()))
    said = _colour_attribute(product.attributes)
    if said is None:
        if product.category_id in usual and share >= _DOMINANT:
            yield Found(Kind.COLOUR_MISSING, product.pk, f"{name}={dominant}", share, evidence=[image_id])
        return
    attribute, text = said
    terms = colour_terms(text)
    is_other = share >= _OTHER_AT_LEAST and may_be(dominant, shares) >= _OTHER_MAY_BE
    if terms and is_other and max(may_be(term, shares) for term in terms) <= _WRONG_AT_MOST:
        yield Found(Kind.COLOUR_WRONG, product.pk, f"{attribute}={dominant}", share, evidence=[image_id])


def _colour_attribute(attributes: Mapping[str, object]) -> tuple[str, str] | None:
    """Name and text of the attribute that says the colour."""
    for name, value in attributes.items():
        if name.casefold() in ATTRIBUTE_NAMES and value:
            return name, " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return None


def _main_photos(product_ids: Sequence[int]) -> dict[int, tuple[int, str]]:
    """Id and file of each product's first photo that shows something."""
    images = ProductImage.objects.compared().filter(product__in=product_ids).order_by("product", "position", "id")
    photos: dict[int, tuple[int, str]] = {}
    for image_id, product_id, file in images.values_list("pk", "product", "file"):
        photos.setdefault(product_id, (image_id, file))
    return photos


def _shares_of(name: str) -> dict[str, float]:
    """Colours of a stored photo; none where it cannot be read, which the admin lists elsewhere."""
    try:
        with default_storage.open(name) as file:
            return colour_shares(open_rgb(cast("BinaryIO", file), min_side=96))
    except (ImageRejected, OSError):
        return {}


@transaction.atomic
def _store(found: Sequence[Found]) -> int:
    """Store findings, and drop open ones that were not found again. Returns how many are new."""
    known = {(row.kind, row.product_id, row.photo_id): row for row in Diagnosis.objects.defer("before").iterator()}
    present = set(Product.objects.filter(active=True).values_list("pk", flat=True).iterator())
    new: list[Diagnosis] = []
    again: list[Diagnosis] = []
    for each in found:
        row = known.pop((each.kind, each.product, each.photo), None)
        if each.product not in present:
            continue
        values = {"suggestion": each.suggestion, "confidence": each.confidence, "evidence": list(each.evidence)}
        if row is None:
            new.append(Diagnosis(kind=each.kind, product_id=each.product, photo_id=each.photo, **values))
        # One that was accepted is wrong again, as an import makes it.
        elif row.decision != Decision.DISMISSED or row.suggestion != each.suggestion:
            for name, value in values.items():
                setattr(row, name, value)
            row.decision, row.before, row.decided_at = Decision.OPEN, None, None
            again.append(row)
    Diagnosis.objects.bulk_create(new, batch_size=_WRITE, ignore_conflicts=True)
    Diagnosis.objects.bulk_update(again, [*_FOUND, "decision", "before", "decided_at"], batch_size=_WRITE)
    dropped = [row.pk for row in known.values() if row.decision == Decision.OPEN]
    for start in range(0, len(dropped), _WRITE):
        Diagnosis.objects.filter(pk__in=dropped[start : start + _WRITE]).delete()
    return len(new)


def _unit(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    rows = vectors.astype(np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit
