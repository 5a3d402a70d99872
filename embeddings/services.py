"""Works off the outbox: embeds photos, pushes points, patches payloads, forgets what is gone. Safe to run twice."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import groupby
from typing import Any, BinaryIO, cast

import numpy as np
from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from numpy.typing import NDArray
from opentelemetry import trace

from catalog import media
from catalog.models import ProductImage, lineage
from catalog.photos import ImageRejected, open_upright
from embeddings import metrics
from embeddings.backends import get_encoder, get_vector_index
from embeddings.encoders.base import Encoder
from embeddings.errors import EncoderMismatch, EncoderUnavailable, InvalidVector, MediaUnavailable
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, vector_from_bytes, vector_to_bytes
from embeddings.selectors import TO_DO, LiveCollection, active_versions, rows_of_active_versions
from embeddings.vector_index.base import Point
from jobs.progress import Progress

logger = logging.getLogger(__name__)
tracer = trace.get_tracer(__name__)

State = ImageEmbedding.State
# In the order in which they are worked off.
WITHOUT_ENCODER = (State.OUTDATED, State.REMOVED, State.EMBEDDED)
BATCH = 256
EVERY_PHOTO = Q()
# A storage that is away is tried again after each of these, and given up after the last.
RETRY_WAITS_S = (10, 60, 600, 3600)


# Two drains in one process would embed the same rows. What needs no encoder waits for none of that.
_embedding = threading.Lock()


@dataclass(frozen=True)
class DrainReport:
    """How many rows were embedded, indexed (pushed or patched), removed and failed."""

    embedded: int = 0
    indexed: int = 0
    removed: int = 0
    failed: int = 0

    def __add__(self, other: DrainReport) -> DrainReport:
        return DrainReport(
            self.embedded + other.embedded,
            self.indexed + other.indexed,
            self.removed + other.removed,
            self.failed + other.failed,
        )


def ensure_default_collection() -> None:
    """Make the collection `all`, over the whole catalogue and with the default encoder, where it is missing."""
    collection, _ = Collection.objects.get_or_create(slug="all", defaults={"name": "All products"})
    if collection.active_version is None:
        collection.active_version = add_version(collection, settings.DEFAULT_ENCODER)
        collection.save(update_fields=["active_version"])


@transaction.atomic
def add_version(collection: Collection, encoder_name: str) -> EncoderVersion:
    """A new version of the collection with this encoder; it serves nothing until it is made the active one."""
    encoder = get_encoder(encoder_name)
    last = (
        EncoderVersion.objects.filter(collection=collection)
        .order_by("-number")
        .values_list("number", flat=True)
        .first()
    )
    return EncoderVersion.objects.create(
        collection=collection,
        number=(last or 0) + 1,
        encoder=encoder_name,
        fingerprint=encoder.fingerprint,
        dim=encoder.dim,
    )


def encoder_of(version: EncoderVersion | LiveCollection) -> Encoder:
    """The version's encoder.

    Raises EncoderUnavailable where its file is missing or no model, EncoderMismatch where it is not the model that made the
    version's vectors.
    """
    encoder = get_encoder(version.encoder)
    wanted = version.index.dim if isinstance(version, LiveCollection) else version.dim
    try:
        dim = encoder.dim
    except EncoderUnavailable as error:
        raise EncoderUnavailable(f"{version.label}: {error}; put the file back that made it") from error
    if encoder.fingerprint != version.fingerprint:
        raise EncoderMismatch(
            f"{version.label} was made by model {version.fingerprint[:12]}, "
            f"but {version.encoder!r} is now {encoder.fingerprint[:12]}: put the former file back,"
            " or run manage.py reindex --rebuild to embed the catalogue with the new model"
        )
    if dim != wanted:
        raise EncoderMismatch(
            f"{version.label} has vectors of {wanted} dimensions, but {version.encoder!r} gives {dim}:"
            " run manage.py reindex --rebuild to embed the catalogue with it"
        )
    return encoder


def drain(
    image_ids: Iterable[int] | None = None, on_progress: Progress | None = None, *, embed: bool = True
) -> DrainReport:
    """Work off the outbox of every active version: all of it, or only these photos' rows.

    embed: also what needs the encoder; without that, points are written, patched and removed.
    Raises IndexLocked, IndexUnavailable or MediaUnavailable with the rows left as they are, and EncoderMismatch where a model file
    was exchanged.
    """
    report = DrainReport()
    chosen = EVERY_PHOTO if image_ids is None else Q(image_id__in=list(image_ids))
    for version in active_versions():
        if not ImageEmbedding.objects.filter(chosen, version=version, state__in=TO_DO).exists():
            continue
        # Another version's turn may have taken a while.
        version.refresh_from_db(fields=["index_generation", "rebuild_started_at"])
        hold_index(version)
        report += _sync(version, chosen)
        if embed:
            with _embedding:
                report += embed_pending(version, chosen & _due(), on_progress, then_push=True)
    return report


def with_others_waiting(image_ids: Sequence[int], limit: int) -> list[int]:
    """These photos, and where they wait for no encoder, others that do not either, `limit` altogether.

    Many at a time cost little more than one. So the first of many messages does the work of the rest, which find nothing to do.
    """
    waiting = rows_of_active_versions().filter(state__in=WITHOUT_ENCODER)
    named = list(image_ids)
    if len(named) >= limit or not waiting.filter(image_id__in=named).exists():
        return named
    others = waiting.exclude(image_id__in=named).order_by("image_id").values_list("image_id", flat=True)
    return [*named, *dict.fromkeys(others[: limit - len(named)])]


def to_embed(image_ids: Iterable[int]) -> list[int]:
    """Which of these photos wait for the encoder, with any active version."""
    waiting = rows_of_active_versions().filter(state=State.PENDING)
    return list(waiting.filter(image_id__in=list(image_ids)).values_list("image_id", flat=True).distinct())


def left_behind(waited: timedelta, limit: int) -> list[int]:
    """The photos that wait longest with any active version, `limit` at most: those for so long, or due for another attempt."""
    retried = Q(attempts__gt=0) & _due()
    rows = rows_of_active_versions().filter(state__in=TO_DO)
    rows = rows.filter(retried | Q(attempts=0, changed_at__lte=timezone.now() - waited)).order_by("pk")
    return list(dict.fromkeys(rows.values_list("image_id", flat=True)[:limit]))


def hold_index(version: EncoderVersion) -> None:
    """Open the version's live index: a process that cannot have it learns so before it does any work (IndexLocked)."""
    index, collection = get_vector_index(), version.index_collection()
    # The index of a version that was put into use a moment ago is held by nobody yet, and the server's all the same.
    index.claim()
    index.ensure(collection)
    index.retrieve(collection.name, [0])


def _sync(version: EncoderVersion, chosen: Q) -> DrainReport:
    report = DrainReport()
    # What is quick goes first: a price does not wait for thousands of photos, nor a removal for a model that is missing.
    for state, work_off in zip(WITHOUT_ENCODER, (_patch, _forget, _push), strict=True):
        if state == State.REMOVED and version.rebuilding:
            continue
        last = 0
        while rows := _rows(version, chosen, state, last):
            report += work_off(version, rows)
            last = rows[-1].pk
    return report


def _due() -> Q:
    """Rows that were not tried yet, or long enough ago."""
    due, now = Q(attempts=0), timezone.now()
    for attempts, wait_s in enumerate(RETRY_WAITS_S, start=1):
        due |= Q(attempts=attempts, changed_at__lte=now - timedelta(seconds=wait_s))
    return due


def embed_pending(
    version: EncoderVersion,
    chosen: Q = EVERY_PHOTO,
    on_progress: Progress | None = None,
    *,
    then_push: bool = False,
    anew: bool = False,
) -> DrainReport:
    """Give every pending row of the version its vector.

    then_push: also write the points to the live index. anew: take no vector that another version has of the same bytes.
    """
    report, last = DrainReport(), 0
    if not (rows := _rows(version, chosen, State.PENDING, last)):
        return report
    encoder = encoder_of(version)
    with ThreadPoolExecutor(settings.ENCODER_THREADS) as pool:
        while rows:
            with tracer.start_as_current_span(
                "embed batch", attributes={"photos": len(rows), "encoder": version.label}
            ):
                report += _embed(version, rows, encoder, pool, anew=anew)
                if then_push:
                    waiting = ImageEmbedding.objects.filter(pk__in=[row.pk for row in rows], state=State.EMBEDDED)
                    report += _push(version, list(waiting))
            if on_progress:
                on_progress(len(rows))
            last = rows[-1].pk
            rows = _rows(version, chosen, State.PENDING, last)
    return report


def _rows(version: EncoderVersion, chosen: Q, state: str, after: int) -> Sequence[ImageEmbedding]:
    rows = ImageEmbedding.objects.filter(chosen, version=version, state=state, pk__gt=after).order_by("pk")
    return list((rows.defer("vector") if state == State.OUTDATED else rows)[:BATCH])


@dataclass(frozen=True)
class _Failure:
    reason: str
    final: bool


def _embed(
    version: EncoderVersion, rows: Sequence[ImageEmbedding], encoder: Encoder, pool: ThreadPoolExecutor, *, anew: bool
) -> DrainReport:
    names = dict(ProductImage.objects.filter(pk__in=[row.image_id for row in rows]).values_list("pk", "file"))
    vectors = _vectors_of_twins(version, rows, of_this_version=anew)
    # A file is named for its content: one that several products show is encoded once.
    fresh = list({names.get(row.image_id) for row in rows if row.content_hash not in vectors})
    # Each photo in the context of the whole: its log lines name the request, its spans belong to the trace.
    encoding = [partial(copy_context().run, _encode_stored, encoder, name) for name in fresh]
    encoded = dict(zip(fresh, pool.map(lambda encode: encode(), encoding), strict=True))
    done: Counter[str | None] = Counter()
    with transaction.atomic():
        for row in rows:
            outcome = vectors.get(row.content_hash) or encoded[names.get(row.image_id)]
            done[_store_outcome(row, outcome)] += 1
    metrics.count_batch(len(rows))
    for state, photos in done.items():
        if state is not None:
            metrics.count_photos(state, photos)
    return DrainReport(embedded=done[State.EMBEDDED], failed=done[State.FAILED])


def _vectors_of_twins(
    version: EncoderVersion, rows: Sequence[ImageEmbedding], *, of_this_version: bool
) -> dict[str, bytes]:
    """Vectors that the same model gave the same bytes before: content hash -> stored vector."""
    same_model = Q(version=version) if of_this_version else Q(version__fingerprint=version.fingerprint)
    twins = ImageEmbedding.objects.filter(
        same_model, content_hash__in={row.content_hash for row in rows}, vector__isnull=False
    )
    # One for each hash: thousands of products may share one picture.
    firsts = twins.values("content_hash").annotate(first=Min("pk")).values_list("first", flat=True)
    known = ImageEmbedding.objects.filter(pk__in=list(firsts))
    return {
        content_hash: bytes(vector) for content_hash, vector in known.values_list("content_hash", "vector") if vector
    }


def _encode_stored(encoder: Encoder, name: str | None) -> NDArray[np.float32] | _Failure:
    if name is None:
        return _Failure("the photo was deleted before it was embedded", final=True)
    try:
        with metrics.stage("decode"), default_storage.open(name) as file:
            image = open_upright(cast("BinaryIO", file), at_least=encoder.input_size)
    except FileNotFoundError:
        _expect_media()
        return _Failure(f"the file {name} is missing from the media storage: upload the photo again", final=True)
    except ImageRejected as error:
        return _Failure(str(error), final=True)
    except OSError as error:
        _expect_media()
        return _Failure(f"the media storage failed: {error}", final=False)
    try:
        with metrics.stage("encode"):
            embedding: NDArray[np.float32] = encoder.encode([image])[0]
    except InvalidVector as error:
        return _Failure(str(error), final=True)
    return embedding


def _expect_media() -> None:
    """One photo that cannot be read is that photo's trouble. Raises MediaUnavailable where none can."""
    if media.is_away():
        raise MediaUnavailable(
            f"there is no photo at all in {settings.MEDIA_ROOT}: have its disk mounted, and they are embedded by themselves"
        )


def _store_outcome(row: ImageEmbedding, outcome: NDArray[np.float32] | bytes | _Failure) -> str | None:
    """The state that the row has now; None where it changed meanwhile and is left as it is."""
    unchanged = ImageEmbedding.objects.filter(pk=row.pk, revision=row.revision)
    if isinstance(outcome, _Failure):
        final = outcome.final or row.attempts >= len(RETRY_WAITS_S)
        state = State.FAILED if final else State.PENDING
        stored = unchanged.update(state=state, error=outcome.reason, attempts=F("attempts") + 1, changed_at=Now())
        return state if stored else None
    vector = outcome if isinstance(outcome, bytes) else vector_to_bytes(outcome)
    stored = unchanged.update(state=State.EMBEDDED, vector=vector, error="", changed_at=Now())
    return State.EMBEDDED if stored else None


def _push(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> DrainReport:
    points = points_of(rows)
    with metrics.stage("upsert"):
        get_vector_index().upsert(version.index_collection().name, points)
    return DrainReport(indexed=_settle(version, rows))


def points_of(rows: Iterable[ImageEmbedding]) -> list[Point]:
    """The points of embedded rows, each with its product's details as they are now."""
    ready = [(row, row.vector) for row in rows if row.vector is not None]
    payloads = payloads_of([row.image_id for row, _ in ready])
    return [
        Point(row.image_id, vector_from_bytes(vector), payloads[row.image_id])
        for row, vector in ready
        if row.image_id in payloads
    ]


def payloads_of(image_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What each photo's point says of its product, in one query."""
    rows = ProductImage.objects.filter(pk__in=image_ids).values_list(
        "pk", "sha256", "product_id", "product__category__path", "product__brand", "product__price", "product__available",
        "product__active", "product__tags",
    )  # fmt: skip
    return {
        image_id: {
            "product_id": product_id,
            "category": lineage(path or ""),
            "brand": brand,
            "price": None if price is None else float(price),
            "available": available,
            "active": active,
            "tags": tags,
            "sha256": sha256,
        }
        for image_id, sha256, product_id, path, brand, price, available, active, tags in rows
    }


def _patch(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> DrainReport:
    payloads = payloads_of([row.image_id for row in rows])
    by_payload: dict[str, tuple[Mapping[str, Any], list[int]]] = {}
    for image_id, payload in payloads.items():
        # Photos of one product share all but the hash, which a patch does not touch.
        shared: Mapping[str, Any] = {key: value for key, value in payload.items() if key != "sha256"}
        by_payload.setdefault(repr(shared), (shared, []))[1].append(image_id)
    for shared, image_ids in by_payload.values():
        get_vector_index().set_payload(version.index_collection().name, image_ids, shared)
    return DrainReport(indexed=_settle(version, rows))


@transaction.atomic
def _settle(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> int:
    """Mark rows as indexed, but for those that changed since they were read, or whose index was replaced meanwhile."""
    if not _still_live(version):
        return 0
    settled = 0
    by_revision = sorted(rows, key=lambda row: row.revision)
    for revision, group in groupby(by_revision, key=lambda row: row.revision):
        written = ImageEmbedding.objects.filter(pk__in=[row.pk for row in group])
        settled += written.filter(revision=revision).update(state=State.INDEXED, changed_at=Now())
        _write_again(written.exclude(revision=revision))
    return settled


def _forget(version: EncoderVersion, rows: Sequence[ImageEmbedding]) -> DrainReport:
    get_vector_index().delete(version.index_collection().name, [row.image_id for row in rows])
    with transaction.atomic():
        # The next generation may hold the point already: while one is built, its rows are kept for it.
        if not _still_live(version, and_not_rebuilding=True):
            return DrainReport()
        forgotten = ImageEmbedding.objects.filter(pk__in=[row.pk for row in rows])
        _write_again(forgotten.exclude(state=State.REMOVED))
        removed, _ = forgotten.filter(state=State.REMOVED).delete()
    return DrainReport(removed=removed)


def _write_again(rows: QuerySet[ImageEmbedding]) -> None:
    """Another worker may have written these points with newer details, and just before this one: nobody knows who was last."""
    written = rows.filter(state__in=(State.EMBEDDED, State.INDEXED, State.OUTDATED), vector__isnull=False)
    written.update(state=State.EMBEDDED, revision=F("revision") + 1, changed_at=Now())


def _still_live(version: EncoderVersion, *, and_not_rebuilding: bool = False) -> bool:
    """Whether the index that was written to is still the live one; no switch comes between this and the commit."""
    now = EncoderVersion.objects.select_for_update().get(pk=version.pk)
    return now.index_generation == version.index_generation and not (and_not_rebuilding and now.rebuilding)
