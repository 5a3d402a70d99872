"""Processing of the outbox: embeds photos, upserts points, patches payloads, deletes points. Every step is idempotent."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from itertools import chain, groupby, repeat
from typing import Any, BinaryIO, Protocol, cast

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Min, Q
from opentelemetry import trace
from PIL import Image

from catalog import facts, media
from catalog.json_conditions import attribute_terms
from catalog.models import ProductImage, lineage
from catalog.services import note_missing_files
from embeddings import metrics
from embeddings.backends import encoder_of, get_vector_index
from embeddings.encoders.base import Encoder
from embeddings.errors import EncoderMismatch, EncoderUnavailable, InvalidVector, MediaUnavailable
from embeddings.models import EncoderVersion, ImageEmbedding, ImageEmbeddingQuerySet
from embeddings.outbox import EMBED_RETRY_WAITS_S, WITHOUT_ENCODER, due, next_batch
from embeddings.part_weights import refresh_if_grown
from embeddings.parts.describe import DESCRIBED_AT_ONCE, describe_all
from embeddings.parts.layout import Layout
from embeddings.registry import registry
from embeddings.selectors import DUE_STATES, active_versions
from embeddings.stored_vectors import joined_vectors, vector_to_bytes
from embeddings.vector_index.base import PAYLOAD_FIELDS, FieldType, Point
from jobs.progress import ProgressCallback, StageProgress
from pictures.photos import ImageRejected, open_rgb
from stores import base as stores
from stores.errors import StoreError

tracer = trace.get_tracer(__name__)

State = ImageEmbedding.State
EVERY_PHOTO = Q()


@dataclass(frozen=True)
class IndexingReport:
    """Number of rows that were embedded, indexed (upserted or patched), removed and failed."""

    embedded: int = 0
    indexed: int = 0
    removed: int = 0
    failed: int = 0

    def __str__(self) -> str:
        """One number of photos, e.g. "300 photos indexed, 12 of them newly embedded; 1 removed, 2 failed"."""
        photos = f"{self.indexed:,} photo{'s' if self.indexed != 1 else ''} indexed"
        if self.embedded:
            photos += f", {self.embedded:,} of them newly embedded"
        others = [f"{count:,} {done}" for count, done in ((self.removed, "removed"), (self.failed, "failed")) if count]
        return f"{photos}; {', '.join(others)}" if others else photos

    def __add__(self, other: IndexingReport) -> IndexingReport:
        return IndexingReport(
            self.embedded + other.embedded,
            self.indexed + other.indexed,
            self.removed + other.removed,
            self.failed + other.failed,
        )


class _EmbeddingLock:
    """Held by the thread that embeds: two threads would embed the same rows. Steps without the encoder do not need it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


def process_outbox(
    image_ids: Iterable[int] | None = None, on_progress: ProgressCallback | None = None, *, embed: bool = True
) -> IndexingReport:
    """Process the outbox of every active version.

    Args:
        image_ids: photos of the rows; None for all rows.
        on_progress: called as photos are embedded, with the stage "embedding" for each version.
        embed: also embed pending photos. Otherwise points are only upserted, patched and deleted.

    Returns:
        Counts of the processed rows. Rows that changed in the meantime are not counted and stay in the outbox.

    Raises:
        IndexLocked: another process holds the index. The rows are unchanged.
        IndexUnavailable: the index does not respond. The rows are unchanged.
        MediaUnavailable: the media folder is unavailable. The rows are unchanged.
        EncoderMismatch: a model file was replaced. Rows of that version that need no encoder, and all of others, are processed.
        EncoderUnavailable: a model file is missing or damaged. Rows are processed likewise.
    """
    report = IndexingReport()
    errors: list[EncoderMismatch | EncoderUnavailable] = []
    chosen = EVERY_PHOTO if image_ids is None else Q(image_id__in=list(image_ids))
    for version in active_versions():
        if not ImageEmbedding.objects.filter(chosen, version=version, state__in=DUE_STATES).exists():
            continue
        # The previous version may have taken a while.
        version.refresh_from_db(fields=["index_generation", "rebuild_started_at"])
        try:
            report += _process_version(version, chosen, on_progress, embed=embed)
        except (EncoderMismatch, EncoderUnavailable) as error:
            # Of this version alone: other collections do not wait for its model.
            errors.append(error)
    if errors:
        raise errors[0]
    return report


def _process_version(
    version: EncoderVersion, chosen: Q, on_progress: ProgressCallback | None, *, embed: bool
) -> IndexingReport:
    claim_index(version)
    report = _process_without_encoder(version, chosen)
    if embed:
        with registry.get(_EmbeddingLock).lock:
            embedded = embed_pending(version, chosen & due(), on_progress, upsert=True)
        report += embedded
        if embedded.embedded:
            refresh_if_grown(version)
    return report


def claim_index(version: EncoderVersion) -> None:
    """Open the live index of a version for writing, so that a process without access fails before it does any work.

    Args:
        version: with the index generation that is live now.

    Raises:
        IndexLocked: another process holds the index.
        IndexUnavailable: the index does not respond.
        EncoderMismatch: it holds vectors of another encoder.
    """
    index, collection = get_vector_index(), version.index_collection()
    # The index of a version that was just activated may not be open in any process. It still belongs to the server.
    index.claim()
    for each in (collection, version.text_collection()):
        index.ensure(each)
        index.retrieve(each.name, [0])


def embed_pending(
    version: EncoderVersion,
    chosen: Q = EVERY_PHOTO,
    on_progress: ProgressCallback | None = None,
    *,
    upsert: bool = False,
    reuse_vectors: bool = True,
) -> IndexingReport:
    """Embed the pending rows of a version.

    Args:
        version: of the rows and the encoder.
        chosen: restricts the rows.
        on_progress: called as rows are done, with the stage "embedding".
        upsert: also upsert the points to the live index, batch by batch.
        reuse_vectors: copy vectors of identical photos from other versions with the same model.

    Returns:
        Counts of the processed rows.

    Raises:
        EncoderMismatch: the model file was replaced.
        EncoderUnavailable: the model file is missing or damaged.
        MediaUnavailable: the media folder is unavailable.
        IndexUnavailable: upsert, and the index does not respond. The vectors are stored.
    """
    report, last = IndexingReport(), 0
    if not (rows := next_batch(version, chosen, State.PENDING, last)):
        return report
    encoder = encoder_of(version)
    pending = ImageEmbedding.objects.filter(chosen, version=version, state=State.PENDING)
    progress = StageProgress(on_progress, "embedding", pending.count() if on_progress else 0)
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        while rows:
            with tracer.start_as_current_span(
                "embed batch", attributes={"photos": len(rows), "encoder": version.label}
            ):
                report += _embed(version, rows, encoder, pool, reuse_vectors=reuse_vectors)
                if upsert:
                    embedded = ImageEmbedding.objects.filter(pk__in=[row.pk for row in rows], state=State.EMBEDDED)
                    report += _upsert(version, list(embedded))
            progress.advance(len(rows))
            last = rows[-1].pk
            rows = next_batch(version, chosen, State.PENDING, last)
    return report


class StoredVector(Protocol):
    """What a point is made from: an ImageEmbedding, or its columns."""

    @property
    def image_id(self) -> int:
        """The photo."""

    @property
    def vector(self) -> bytes | memoryview | None:
        """Of the encoder, as it is stored."""

    @property
    def parts(self) -> bytes | memoryview | None:
        """Colour and pattern, as they are stored."""


def points_of(layout: Layout, rows: Iterable[StoredVector]) -> list[Point]:
    """Make points from rows, with the current data of their products.

    Args:
        layout: of their version.
        rows: with vectors. Rows without a vector or whose photo was deleted are skipped.

    Returns:
        One point per row.
    """
    ready = [(row, row.vector) for row in rows if row.vector is not None]
    payloads = payloads_of([row.image_id for row, _ in ready])
    there = [(row, vector) for row, vector in ready if row.image_id in payloads]
    if not there:
        return []
    vectors = joined_vectors(layout, [(vector, row.parts) for row, vector in there])
    return [
        Point(row.image_id, vector, payloads[row.image_id]) for (row, _), vector in zip(there, vectors, strict=True)
    ]


# Fields of the payload whose path is not the column of the product with the same name.
_PAYLOAD_PATHS = {"product_id": "product_id", "category": "product__category__path"}


def payloads_of(image_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """Read the payloads of photos, in two queries.

    Args:
        image_ids: the photos.

    Returns:
        By photo: the fields of PAYLOAD_FIELDS, and the SHA-256 of the photo. Deleted photos are omitted.
    """
    paths = [_PAYLOAD_PATHS.get(name, f"product__{name}") for name in PAYLOAD_FIELDS]
    rows = list(ProductImage.objects.filter(pk__among=image_ids).values_list("pk", "sha256", *paths))
    in_others = ProductImage.objects.filter(pk__among=image_ids, product__other_categories__isnull=False)
    others: dict[int, list[str]] = {}
    for image_id, path in in_others.order_by("product__other_categories__path").values_list(
        "pk", "product__other_categories__path"
    ):
        others.setdefault(image_id, []).append(path)
    return {
        image_id: {**payload_of(values, others.get(image_id, ())), "sha256": sha256}
        for image_id, sha256, *values in rows
    }


_PRODUCT_PATHS = {"product_id": "pk", "category": "category__path"}
# The columns of a product that its payload is made from, in the order of PAYLOAD_FIELDS.
PRODUCT_COLUMNS = tuple(_PRODUCT_PATHS.get(name, name) for name in PAYLOAD_FIELDS)


def payload_of(values: Iterable[Any], other_paths: Iterable[str]) -> dict[str, Any]:
    """Make the payload of a product.

    Args:
        values: of PRODUCT_COLUMNS.
        other_paths: slug paths of its other categories, in their order.

    Returns:
        The fields of PAYLOAD_FIELDS.
    """
    payload = dict(zip(PAYLOAD_FIELDS, values, strict=True))
    for name, convert in _CONVERSIONS:
        payload[name] = convert(payload[name])
    categories = payload["category"]
    for path in other_paths:
        categories += [ancestor for ancestor in lineage(path) if ancestor not in categories]
    return payload


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


_CONVERSIONS: Sequence[tuple[str, Callable[[Any], Any]]] = (
    ("category", lambda path: lineage(path or "")),
    ("attributes", attribute_terms),
    *((name, _number) for name, field_type in PAYLOAD_FIELDS.items() if field_type is FieldType.FLOAT),
)


@transaction.atomic
def mark_indexed(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> int:
    """Mark rows as indexed after their points were written, unless they have changed or the index was replaced.

    Args:
        version: as read before the points were written.
        rows: as read before the points were written.

    Returns:
        Number of rows marked.
    """
    if not still_live(version):
        return 0
    marked = 0
    by_revision = sorted(rows, key=lambda row: row.revision)
    for revision, group in groupby(by_revision, key=lambda row: row.revision):
        written = ImageEmbedding.objects.filter(pk__in=[row.pk for row in group])
        marked += written.filter(revision=revision).mark_indexed()
        _upsert_again(written.exclude(revision=revision))
    return marked


def _process_without_encoder(version: EncoderVersion, chosen: Q) -> IndexingReport:
    report = IndexingReport()
    # Fast steps first: a price change must not wait for thousands of photos, nor a removal for a missing model.
    for state, process in zip(WITHOUT_ENCODER, (_patch, _delete, _upsert), strict=True):
        if state == State.REMOVED and version.rebuilding:
            continue
        last = 0
        while rows := next_batch(version, chosen, state, last):
            report += process(version, rows)
            last = rows[-1].pk
    return report


@dataclass(frozen=True)
class _Embedded:
    """What is stored of a photo: the bytes of its vector and its parts (None: the version has none)."""

    vector: bytes
    parts: bytes | None


@dataclass(frozen=True)
class _Failure:
    """Why a photo has no vector; `final` if a retry would fail too, `file_missing` if it has no file."""

    reason: str
    final: bool
    file_missing: bool = False


def _embed(
    version: EncoderVersion,
    rows: Sequence[ImageEmbedding],
    encoder: Encoder,
    pool: ThreadPoolExecutor,
    *,
    reuse_vectors: bool,
) -> IndexingReport:
    names = dict(ProductImage.objects.filter(pk__in=[row.image_id for row in rows]).values_list("pk", "file"))
    vectors = _stored_vectors(version, rows, of_other_versions=reuse_vectors)
    # Files are named by content: a photo of several products is encoded once.
    fresh = list({names.get(row.image_id) for row in rows if row.content_hash not in vectors})
    # A few at once are described faster, but none of the threads is to go without.
    at_once = min(DESCRIBED_AT_ONCE, max(1, -(-len(fresh) // settings.ENCODER_THREADS)))
    few = [fresh[start : start + at_once] for start in range(0, len(fresh), at_once)]
    # In the current context, for the request id in log lines and the trace of spans.
    embedding = [partial(copy_context().run, _embed_few, encoder, each, bool(version.parts)) for each in few]
    embedded = dict(zip(fresh, chain.from_iterable(pool.map(lambda embed: embed(), embedding)), strict=True))
    done: Counter[str | None] = Counter()
    found: list[tuple[ImageEmbedding, bytes, bytes | None]] = []
    with transaction.atomic():
        for row in rows:
            result = vectors.get(row.content_hash) or embedded[names.get(row.image_id)]
            if isinstance(result, _Embedded):
                found.append((row, result.vector, result.parts))
            else:
                done[_store_failure(row, result)] += 1
        done[State.EMBEDDED] = ImageEmbedding.objects.mark_embedded(found)
    metrics.count_batch(len(rows))
    for state, photos in done.items():
        if state is not None:
            metrics.count_photos(state, photos)
    return IndexingReport(embedded=done[State.EMBEDDED], failed=done[State.FAILED])


def _stored_vectors(
    version: EncoderVersion, rows: Sequence[ImageEmbedding], *, of_other_versions: bool
) -> dict[str, _Embedded]:
    """What is stored of identical photos by the same model, by content hash."""
    same_model = (
        Q(version__fingerprint=version.fingerprint, version__parts=version.parts)
        if of_other_versions
        else Q(version=version)
    )
    identical = ImageEmbedding.objects.filter(
        same_model, content_hash__in={row.content_hash for row in rows}, vector__isnull=False
    )
    # One per hash: thousands of products may share a photo.
    firsts = identical.values("content_hash").annotate(first=Min("pk")).values_list("first", flat=True)
    known = ImageEmbedding.objects.filter(pk__in=list(firsts))
    return {
        content_hash: _Embedded(bytes(vector), None if parts is None else bytes(parts))
        for content_hash, vector, parts in known.values_list("content_hash", "vector", "parts")
        if vector
    }


@dataclass(frozen=True)
class _Encoded:
    """A photo and the bytes of its vector."""

    image: Image.Image
    vector: bytes


def _embed_few(encoder: Encoder, names: Sequence[str | None], with_parts: bool) -> list[_Embedded | _Failure]:
    """Embed the photos with these names in the media storage. A name is None if its row was deleted."""
    found = [_encode_stored(encoder, name) for name in names]
    encoded = [each for each in found if isinstance(each, _Encoded)]
    parts: Iterator[bytes | None] = repeat(None)
    if encoded and with_parts:
        with metrics.embed_stage("describe"):
            parts = map(vector_to_bytes, describe_all([each.image for each in encoded]))
    return [_Embedded(each.vector, next(parts)) if isinstance(each, _Encoded) else each for each in found]


def _encode_stored(encoder: Encoder, name: str | None) -> _Encoded | _Failure:
    if name is None:
        return _Failure(facts.PHOTO_DELETED(), final=True)
    try:
        with metrics.embed_stage("decode"), default_storage.open(name) as file:
            image = open_rgb(cast("BinaryIO", file), min_side=encoder.input_size)
    except FileNotFoundError:
        _require_media()
        reason = facts.FILE_MISSING(file=name)
        return _Failure(reason, final=True, file_missing=True)
    except ImageRejected as error:
        return _Failure(str(error), final=True)
    except StoreError as error:
        # Not of this photo: the others would fail as well.
        raise _media_fails(error) from error
    except OSError as error:
        _require_media()
        return _Failure(facts.MEDIA_FAILED(error=str(error)), final=False)
    try:
        with metrics.embed_stage("encode"):
            return _Encoded(image, vector_to_bytes(encoder.encode([image])[0]))
    except InvalidVector as error:
        return _Failure(str(error), final=True)


def _require_media() -> None:
    """Raise MediaUnavailable if the whole media folder is unavailable, not only one photo."""
    photos = stores.photos()
    try:
        unavailable = media.is_unavailable()
    except StoreError as error:
        raise _media_fails(error) from error
    if unavailable:
        remedy = "mount its disk" if photos.is_local else "look at STORAGE_URL"
        raise MediaUnavailable(
            f"there is no photo at all in {photos.place}: {remedy}, and the pending photos are embedded"
        )


def _media_fails(error: StoreError) -> MediaUnavailable:
    return MediaUnavailable(f"the media storage {stores.photos().place} fails: {error}")


def _store_failure(row: ImageEmbedding, failure: _Failure) -> str | None:
    """Store a failure, and return the new state of the row; None if the row has changed in the meantime and is not updated."""
    unchanged = ImageEmbedding.objects.filter(pk=row.pk, revision=row.revision)
    if failure.file_missing:
        note_missing_files([row.image_id])
    if failure.final or row.attempts >= len(EMBED_RETRY_WAITS_S):
        return State.FAILED if unchanged.mark_failed(failure.reason) else None
    return State.PENDING if unchanged.mark_postponed(failure.reason) else None


def _upsert(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> IndexingReport:
    points = points_of(version.layout, rows)
    with metrics.embed_stage("upsert"):
        get_vector_index().upsert(version.index_collection().name, points)
    return IndexingReport(indexed=mark_indexed(version, rows))


def _patch(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> IndexingReport:
    payloads = payloads_of([row.image_id for row in rows])
    by_payload: dict[str, tuple[Mapping[str, Any], list[int]]] = {}
    for image_id, payload in payloads.items():
        # Photos of one product share all fields except the hash, which a patch does not change.
        shared: Mapping[str, Any] = {key: value for key, value in payload.items() if key != "sha256"}
        by_payload.setdefault(repr(shared), (shared, []))[1].append(image_id)
    for shared, image_ids in by_payload.values():
        get_vector_index().set_payload(version.index_collection().name, image_ids, shared)
    return IndexingReport(indexed=mark_indexed(version, rows))


def _delete(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> IndexingReport:
    get_vector_index().delete(version.index_collection().name, [row.image_id for row in rows])
    with transaction.atomic():
        # While the next generation is built, rows are kept for it: it may contain the point already.
        if not still_live(version, and_not_rebuilding=True):
            return IndexingReport()
        deleted = ImageEmbedding.objects.filter(pk__in=[row.pk for row in rows])
        _upsert_again(deleted.exclude(state=State.REMOVED))
        removed, _ = deleted.filter(state=State.REMOVED).delete()
    return IndexingReport(removed=removed)


def _upsert_again(rows: ImageEmbeddingQuerySet) -> None:
    """Upsert points again that another worker may have written at the same time: the order of the writes is unknown."""
    written = rows.filter(state__in=(State.EMBEDDED, State.INDEXED, State.OUTDATED), vector__isnull=False)
    written.mark_to_upsert()


def still_live(version: EncoderVersion, *, and_not_rebuilding: bool = False) -> bool:
    """Whether the index that was written is still live. The row lock prevents a switch before the commit.

    It lets those pass who add rows of this version: they may hold rows that are waited for here.

    Args:
        version: as read before the points were written.
        and_not_rebuilding: and no next generation is being built.

    Returns:
        True if the caller may mark what it has written.
    """
    current = EncoderVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    return current.index_generation == version.index_generation and not (and_not_rebuilding and current.rebuilding)
