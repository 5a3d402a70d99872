"""Finds near-duplicates: products with photos whose vectors and perceptual hashes are both similar, or with texts of one product.

All photos are compared with each other, exactly and in blocks, with the vectors in the database, because a running server may hold
the index. The vectors are in a temporary file, so that memory stays small.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from numpy.typing import NDArray

from catalog.duplicates import MatchEvidence, PairChanges, store_search_result
from catalog.models import DuplicatePair, ProductImage
from embeddings.duplicates_by_text import pairs_by_text
from embeddings.errors import NoActiveVersion
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from jobs.progress import ProgressCallback, StageProgress
from pictures.perceptual_hash import MIRROR
from pictures.photos import ImageRejected, read_photo

Kind = DuplicatePair.Kind
State = ImageEmbedding.State

COLLECTION = "all"

# A pair matches if a rule holds: minimum cosine of the vectors, and maximum number of different bits of the hashes.
# Measured on real photos: docs/how-to/duplicates.md.
RULES = ((0.90, 14), (0.82, 7), (0.62, 5))
_LOWEST_COSINE = min(cosine for cosine, _ in RULES)

# A photo with more products or more matches is a placeholder or a size chart.
MAX_PRODUCTS_PER_PHOTO = 20
MAX_MATCHES_PER_PHOTO = 50

_READ_BATCH_SIZE = 1000
_HASH_BATCH_SIZE = 256
_BLOCK = 2048


@dataclass(frozen=True, slots=True)
class SearchReport:
    """Result of a search.

    Attributes:
        photos: number of photos compared.
        unreadable: number of photos that could not be read.
        skipped: number of photos that too many products share.
        changes: of the stored pairs.
    """

    photos: int
    unreadable: int
    skipped: int
    changes: PairChanges


@dataclass(frozen=True, slots=True)
class _Contents:
    """Distinct contents of photos.

    Attributes:
        rows: int64 [m], row of each content's vector in the file.
        hashes: uint64 [m], perceptual hashes.
        products: int64 [n], product of each photo; those of content c are at bounds[c] to bounds[c + 1].
        families: int64 [n], main product of each photo's product.
        bounds: int64 [m + 1].
    """

    rows: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    products: NDArray[np.int64]
    families: NDArray[np.int64]
    bounds: NDArray[np.int64]

    def owners(self, content: int) -> list[tuple[int, int]]:
        """Products that have this content, each with its family."""
        photos = slice(self.bounds[content], self.bounds[content + 1])
        return list(zip(self.products[photos].tolist(), self.families[photos].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class _Match:
    one: int
    other: int
    evidence: MatchEvidence


def find_duplicates(on_progress: ProgressCallback) -> SearchReport:
    """Search for near-duplicates among the active products, and store them for review. An interrupted search stores nothing.

    Args:
        on_progress: progress of hashing, reading and comparing photos, then texts.

    Returns:
        What was found.

    Raises:
        NoActiveVersion: the collection `all` has none.
    """
    version = _live_version()
    unreadable = _hash_photos(on_progress)
    with tempfile.TemporaryDirectory(prefix="duplicates-") as folder:
        path = Path(folder) / "vectors"
        contents = _read_contents(version, path, on_progress)
        shared = np.diff(contents.bounds) > MAX_PRODUCTS_PER_PHOTO
        found = _identical(contents, shared)
        if len(contents.rows):
            vectors = np.memmap(path, dtype="<f2", mode="r").reshape(-1, version.dim)
            # The hash of a photo of one colour, 0, cannot be compared.
            matches, crowded = _matches(contents, vectors, ~shared & (contents.hashes != 0), on_progress)
            shared |= crowded
            _add_product_pairs(found, contents, matches)
    found |= pairs_by_text(version, found.keys(), on_progress)
    photos = len(contents.products)
    return SearchReport(photos, unreadable, int(shared.sum()), store_search_result(found, photos=photos))


def _live_version() -> EncoderVersion:
    collection = Collection.objects.filter(slug=COLLECTION).select_related("active_version").first()
    if collection is None or collection.active_version is None:
        raise NoActiveVersion(COLLECTION)
    return collection.active_version


def _hash_photos(on_progress: ProgressCallback) -> int:
    """Compute missing perceptual hashes. Returns the number of photos that could not be read."""
    waiting = ProductImage.objects.filter(perceptual_hash=None)
    total = waiting.count()
    if not total:
        return 0
    progress, unreadable, last = StageProgress(on_progress, "reading photos", total), 0, 0
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        while batch := list(waiting.filter(pk__gt=last).order_by("pk")[:_HASH_BATCH_SIZE]):
            last = batch[-1].pk
            for image, perceptual_hash in zip(
                batch, pool.map(_hash_of, [str(image.file.name) for image in batch]), strict=True
            ):
                image.perceptual_hash = perceptual_hash
            seen = [image for image in batch if image.perceptual_hash is not None]
            ProductImage.objects.bulk_update(seen, ["perceptual_hash"])
            unreadable += len(batch) - len(seen)
            progress.advance(len(batch))
    return unreadable


def _hash_of(name: str) -> int | None:
    """The hash, or None if the photo cannot be read; the admin lists it among the failed embeddings."""
    try:
        with default_storage.open(name) as file:
            return read_photo(cast("BinaryIO", file)).perceptual_hash
    except (ImageRejected, OSError):
        return None


def _read_contents(version: EncoderVersion, path: Path, on_progress: ProgressCallback) -> _Contents:
    """Write the vectors of active products' photos to a file, and read their hashes and products."""
    rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False)
    rows = rows.exclude(state__in=(State.PENDING, State.REMOVED)).order_by("pk")
    progress, last = StageProgress(on_progress, "reading vectors", rows.count()), 0
    digests, hashes, products, families = bytearray(), array("Q"), array("q"), array("q")
    with path.open("wb") as file:
        while batch := list(rows.filter(pk__gt=last).values_list("pk", "image_id", "vector")[:_READ_BATCH_SIZE]):
            last = batch[-1][0]
            vectors = {image_id: vector for _, image_id, vector in batch}
            for image_id, sha256, perceptual_hash, product_id, main in _active_photos(list(vectors)):
                file.write(vectors[image_id] or b"")
                digests += bytes.fromhex(sha256)
                hashes.append(perceptual_hash)
                products.append(product_id)
                families.append(main or product_id)
            progress.advance(len(batch))
    return _by_content(
        np.frombuffer(bytes(digests), dtype="S32"),
        np.array(hashes, dtype=np.uint64),
        np.array(products, dtype=np.int64),
        np.array(families, dtype=np.int64),
    )


def _active_photos(image_ids: Sequence[int]) -> list[tuple[int, str, int, int, int | None]]:
    """Id, SHA-256, perceptual hash, product and main product of photos."""
    images = ProductImage.objects.compared().filter(
        pk__in=image_ids, product__active=True, perceptual_hash__isnull=False
    )
    columns = ("pk", "sha256", "perceptual_hash", "product", "product__variant_of")
    return list(images.order_by("pk").values_list(*columns))


def _by_content(
    digests: NDArray[np.bytes_], hashes: NDArray[np.uint64], products: NDArray[np.int64], families: NDArray[np.int64]
) -> _Contents:
    """Group photos by content, in the order of their vectors in the file. digests: SHA-256 of each photo."""
    _, first, content = np.unique(digests, return_index=True, return_inverse=True)
    in_file = np.argsort(first)
    place = np.empty_like(in_file)
    place[in_file] = np.arange(len(first))
    content = place[content]
    by_content = np.argsort(content, kind="stable")
    bounds = np.searchsorted(content[by_content], np.arange(len(first) + 1))
    rows = first[in_file]
    return _Contents(rows, hashes[rows], products[by_content], families[by_content], bounds)


def _identical(contents: _Contents, shared: NDArray[np.bool_]) -> dict[tuple[int, int], MatchEvidence]:
    """Pairs of products with identical files."""
    same = MatchEvidence(Kind.SAME_FILE, 1.0, 0)
    several = np.flatnonzero((np.diff(contents.bounds) > 1) & ~shared)
    return {
        (one, other): same
        for content in several.tolist()
        for (one, family), (other, other_family) in combinations(sorted(contents.owners(content)), 2)
        if family != other_family
    }


def _matches(
    contents: _Contents, vectors: NDArray[np.float16], usable: NDArray[np.bool_], on_progress: ProgressCallback
) -> tuple[list[_Match], NDArray[np.bool_]]:
    """Pairs of contents that match by the rules, and which contents have too many matches: bool [m]."""
    match_counts = np.zeros(len(contents.rows), dtype=np.int64)
    blocks = -(-len(contents.rows) // _BLOCK)
    progress = StageProgress(on_progress, "comparing photos", blocks * (blocks + 1) // 2)
    matches = list(_matches_in_blocks(contents, vectors, usable, match_counts, progress))
    crowded = match_counts > MAX_MATCHES_PER_PHOTO
    return [match for match in matches if not (crowded[match.one] or crowded[match.other])], crowded


def _matches_in_blocks(
    contents: _Contents,
    vectors: NDArray[np.float16],
    usable: NDArray[np.bool_],
    match_counts: NDArray[np.int64],
    progress: StageProgress,
) -> Iterator[_Match]:
    """Matches, block by block. match_counts: int64 [m], updated; matches of contents with too many are left out."""
    hashes = contents.hashes
    for start in range(0, len(hashes), _BLOCK):
        rows = _unit(vectors[contents.rows[start : start + _BLOCK]])
        for other_start in range(start, len(hashes), _BLOCK):
            others = rows if other_start == start else _unit(vectors[contents.rows[other_start : other_start + _BLOCK]])
            one, other, cosines = _pairs_in_block(rows, others, same=other_start == start)
            one, other = one + start, other + other_start
            differing = hashes[one] ^ hashes[other]
            straight = np.bitwise_count(differing)
            mirrored = np.bitwise_count(differing ^ np.uint64(MIRROR))
            bits = np.minimum(straight, mirrored)
            kept = _apply_rules(cosines, bits) & usable[one] & usable[other]
            np.add.at(match_counts, one[kept], 1)
            np.add.at(match_counts, other[kept], 1)
            kept &= (match_counts[one] <= MAX_MATCHES_PER_PHOTO) & (match_counts[other] <= MAX_MATCHES_PER_PHOTO)
            for position in np.flatnonzero(kept):
                kind = Kind.MIRRORED if mirrored[position] < straight[position] else Kind.SIMILAR
                evidence = MatchEvidence(kind, min(float(cosines[position]), 1.0), int(bits[position]))
                yield _Match(int(one[position]), int(other[position]), evidence)
            progress.advance()


def _pairs_in_block(
    rows: NDArray[np.float32], others: NDArray[np.float32], *, same: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """Pairs that some rule may match, each once: positions in both blocks, int [n] each, and cosines, float32 [n]."""
    cosines = rows @ others.T
    near = cosines >= _LOWEST_COSINE
    if same:
        near = np.triu(near, 1)
    one, other = np.nonzero(near)
    return one, other, cosines[one, other]


def _apply_rules(cosines: NDArray[np.float32], bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    kept = np.zeros(len(cosines), dtype=bool)
    for cosine, max_bits in RULES:
        kept |= (cosines >= cosine) & (bits <= max_bits)
    return kept


def _unit(vectors: NDArray[np.float16]) -> NDArray[np.float32]:
    """Normalise rows to unit length, float32: the collection may use another distance, and float16 rounds."""
    rows = vectors.astype(np.float32)
    unit: NDArray[np.float32] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def _add_product_pairs(
    found: dict[tuple[int, int], MatchEvidence], contents: _Contents, matches: Sequence[_Match]
) -> None:
    """Add pairs of products for pairs of contents, with the evidence of their most similar photos."""
    for match in matches:
        for (one, family), (other, other_family) in product(contents.owners(match.one), contents.owners(match.other)):
            pair = (min(one, other), max(one, other))
            known = found.get(pair)
            if family != other_family and (known is None or known.similarity < match.evidence.similarity):
                found[pair] = match.evidence
