"""Builds the next generation of an index beside the live one and switches to it; compares an index with the database.

The database holds every vector, so neither encodes anything that has one. Rows are read by key in batches: memory stays constant.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from catalog.models import ProductImage
from embeddings.backends import get_encoder, get_vector_index
from embeddings.errors import BuildOvertaken, IndexUnavailable
from embeddings.models import Collection, EncoderVersion, ImageEmbedding
from embeddings.outbox import enrol, images_covered, renew
from embeddings.selectors import LIVE_COLLECTION_TTL_S, forget_live_collections, versions_in_use
from embeddings.services import add_version, hold_index, payloads_of, points_of
from embeddings.vector_index.base import Payload
from jobs.progress import Progress

logger = logging.getLogger(__name__)

State = ImageEmbedding.State
BATCH = 1000
MAX_PASSES = 5
SMALL_PASS = 200
POINTS_HELD = 1000
# A change is stamped when its statement runs and seen when its transaction commits: look back this far for those between.
COMMIT_LAG = timedelta(seconds=30)


@dataclass(frozen=True)
class VerifyReport:
    """What a comparison found and repaired: photos without a point, points whose details differ, points without a photo."""

    missing: int
    stale: int
    orphaned: int


def enrol_missing(version: EncoderVersion) -> int:
    """Give every covered photo a row. Returns how many had none."""
    images = images_covered(version).order_by("pk")
    enrolled, last = 0, 0
    while hashes := dict(images.filter(pk__gt=last).values_list("pk", "sha256")[:BATCH]):
        enrolled += enrol(version, hashes)
        last = max(hashes)
    return enrolled


def dismiss_orphans(version: EncoderVersion) -> int:
    """Mark rows whose photo is gone, or no longer covered, for removal from the index. Returns how many."""
    rows = ImageEmbedding.objects.filter(version=version).exclude(state=State.REMOVED)
    dismissed, last = 0, 0
    while ids := list(rows.filter(image_id__gt=last).order_by("image_id").values_list("image_id", flat=True)[:BATCH]):
        last = ids[-1]
        standing = set(images_covered(version).filter(pk__in=ids).values_list("pk", flat=True))
        gone = rows.filter(image_id__in=[image_id for image_id in ids if image_id not in standing])
        dismissed += gone.update(state=State.REMOVED, revision=F("revision") + 1, changed_at=Now())
    return dismissed


def retry_failed(version: EncoderVersion) -> int:
    """Give failed rows another chance, and those that wait for one. Returns how many."""
    rows = ImageEmbedding.objects.filter(version=version)
    failed = rows.filter(Q(state=State.FAILED) | Q(state=State.PENDING, attempts__gt=0))
    return failed.update(state=State.PENDING, attempts=0, error="", revision=F("revision") + 1, changed_at=Now())


def next_version(collection: Collection, encoder_name: str) -> EncoderVersion:
    """The version that a renewal of the collection builds: a new one, or what an interrupted renewal with the same model left."""
    active = collection.active_version.number if collection.active_version else 0
    fingerprint = get_encoder(encoder_name).fingerprint
    left = EncoderVersion.objects.filter(
        collection=collection, number__gt=active, encoder=encoder_name, fingerprint=fingerprint
    )
    # What was rolled back from has a higher number too, and vectors that are not to be taken again.
    left = left.exclude(pk__in=versions_in_use().values("pk"))
    version = left.order_by("number").last() or add_version(collection, encoder_name)
    follow(version)
    return version


def follow(version: EncoderVersion) -> None:
    """From now on, note the catalogue's changes for this version too. A build of it that is under way elsewhere is overtaken.

    The time written is how a build knows that it was not: see `BuildOvertaken`.
    """
    version.rebuild_started_at = timezone.now()
    version.save(update_fields=["rebuild_started_at"])


def unfollow(version: EncoderVersion) -> bool:
    """Note the catalogue's changes for this version no more, unless it is in use. False where its build was overtaken."""
    own = EncoderVersion.objects.filter(pk=version.pk, rebuild_started_at=version.rebuild_started_at)
    return bool(own.update(rebuild_started_at=None))


def renew_changed(version: EncoderVersion) -> int:
    """Have photos embedded again whose content changed while nobody noted it for this version. Returns how many."""
    images = ProductImage.objects.filter(pk=OuterRef("image_id"), sha256=OuterRef("content_hash"))
    rows = ImageEmbedding.objects.filter(version=version)
    changed = rows.filter(~Exists(images), image_id__in=ProductImage.objects.values("pk"))
    renewed, last = 0, 0
    while ids := list(changed.filter(pk__gt=last).order_by("pk").values_list("pk", "image_id")[:BATCH]):
        last = ids[-1][0]
        renew(version, [image_id for _, image_id in ids])
        renewed += len(ids)
    return renewed


@transaction.atomic
def retire(version: EncoderVersion) -> None:
    """Let go of a version's index and vectors, unless it came into use; its model stays, so that it can be activated anew."""
    # Whoever begins to activate it locks the version too: they come before this, or find that everything is gone.
    now = EncoderVersion.objects.select_for_update(of=("self",)).select_related("collection").get(pk=version.pk)
    if now.rebuilding or versions_in_use().filter(pk=now.pk).exists():
        return
    get_vector_index().drop(now.index_collection().name)
    ImageEmbedding.objects.filter(version=now).delete()
    # A process may still have the former index open under its name: it is not given twice.
    EncoderVersion.objects.filter(pk=now.pk).update(index_generation=F("index_generation") + 1, rebuild_started_at=None)


def rebuild(version: EncoderVersion, on_progress: Progress | None = None) -> int:
    """Build the next generation from the stored vectors, make it the live one, and drop the former. Returns its number of points.

    A version that is not active yet becomes so by the switch; the version before it keeps its index for a return. Queries are
    answered by the live index throughout. What changes meanwhile is caught up with before the switch, and what changes during
    the switch is pushed again after it. Raises BuildOvertaken where another process has begun the same meanwhile.
    """
    index = get_vector_index()
    follow(version)
    version.refresh_from_db(fields=["index_generation"])
    # Not as they were when the version was read: hours of embedding may have passed, and a roll-back.
    collection = Collection.objects.get(pk=version.collection_id)
    activating = collection.active_version_id != version.pk
    # What queries are answered by, now or after a roll-back, is never built over.
    in_use = version.pk in (collection.active_version_id, collection.previous_version_id)
    former = version.index_collection().name if in_use else None
    generation = version.index_generation + in_use
    coming = version.index_collection(generation)
    try:
        index.drop(coming.name)
        index.ensure(coming, bulk_load=True)
        since: datetime | None = None
        for _ in range(MAX_PASSES):
            started = _database_time()
            pushed = _push_pass(version, coming.name, since, on_progress if since is None else None)
            since = started - COMMIT_LAG
            if pushed <= SMALL_PASS:
                break
        index.optimise(coming.name)
        started = _database_time()
        _push_pass(version, coming.name, since, None)
        index.close(coming.name)
        _switch(version, generation, started - COMMIT_LAG, activating=activating)
    except BaseException:
        if unfollow(version):
            index.drop(coming.name)
        raise
    forget_live_collections()
    for other in _out_of_use(version.collection_id):
        try:
            retire(other)
        except IndexUnavailable as error:
            # The switch is made, and the next one comes by here again.
            logger.warning("%s is let go of later: %s", other.label, error)
    if former is not None:
        # Other processes may go on asking for the former generation until they read the switch.
        try:
            time.sleep(2 * LIVE_COLLECTION_TTL_S)
        finally:
            index.drop(former)
    return _with_vector(version).count()


def _out_of_use(collection_id: int) -> list[EncoderVersion]:
    """Versions that still hold vectors, and are neither active nor kept for a roll-back nor being built."""
    kept = versions_in_use().values("pk")
    versions = EncoderVersion.objects.filter(collection=collection_id).exclude(pk__in=kept).select_related("collection")
    return [version for version in versions if not version.rebuilding and version.embeddings.exists()]


def _database_time() -> datetime:
    """The clock that stamps changes."""
    value: datetime = EncoderVersion.objects.annotate(now=Now()).values_list("now", flat=True)[:1].get()
    return value


def _with_vector(version: EncoderVersion) -> QuerySet[ImageEmbedding]:
    """The rows whose points the index is to hold."""
    return ImageEmbedding.objects.filter(version=version, vector__isnull=False).exclude(state=State.REMOVED)


def _batches(version: EncoderVersion, condition: Q) -> Iterator[Sequence[ImageEmbedding]]:
    rows = _with_vector(version).filter(condition)
    last = 0
    while batch := list(rows.filter(pk__gt=last).order_by("pk")[:BATCH]):
        yield batch
        last = batch[-1].pk


def _push_pass(version: EncoderVersion, name: str, since: datetime | None, on_progress: Progress | None) -> int:
    condition = Q() if since is None else Q(changed_at__gte=since)
    pushed, held = 0, 0
    for batch in _batches(version, condition):
        get_vector_index().upsert(name, points_of(batch))
        pushed, held = pushed + len(batch), held + len(batch)
        if held >= max(POINTS_HELD, pushed // 10):
            # An embedded engine gives back what it holds of fresh points; opening it again takes the longer the more there are.
            get_vector_index().close(name)
            held = 0
        if on_progress:
            on_progress(len(batch))
    return pushed


@transaction.atomic
def _switch(version: EncoderVersion, generation: int, unsure_since: datetime, *, activating: bool) -> None:
    """Make a generation the live one; rows that may have changed since the last pass are pushed again.

    activating: make the version the active one. A build of the active one leaves that as it is: it may have been rolled back from.
    """
    # Whoever settles rows meanwhile locks the version too: they come before the switch, or find that it was made.
    now = EncoderVersion.objects.select_for_update().get(pk=version.pk)
    if now.rebuild_started_at != version.rebuild_started_at:
        raise BuildOvertaken(
            f"another process has begun to build the index of {version.label} anew, and goes on with it"
        )
    rows = ImageEmbedding.objects.filter(version=version, vector__isnull=False)
    recent = rows.filter(changed_at__gte=unsure_since, state__in=(State.INDEXED, State.OUTDATED))
    recent.update(state=State.EMBEDDED, revision=F("revision") + 1, changed_at=Now())
    # Everything older that waited for the former generation is in the new one as it stands in the database.
    rows.filter(changed_at__lt=unsure_since, state__in=(State.EMBEDDED, State.OUTDATED)).update(state=State.INDEXED)
    version.index_generation = generation
    version.rebuild_started_at = None
    version.save(update_fields=["index_generation", "rebuild_started_at"])
    collection = Collection.objects.select_for_update().get(pk=version.collection_id)
    if activating and collection.active_version_id != version.pk:
        collection.previous_version_id, collection.active_version_id = collection.active_version_id, version.pk
        collection.save(update_fields=["active_version", "previous_version"])


def verify(version: EncoderVersion) -> VerifyReport:
    """Compare the live index with the database, point by point, and repair what differs.

    Missing and stale points are written anew from their stored vectors; orphaned ones are deleted. Rows that still wait in the
    outbox are not counted: they are known work. Raises IndexLocked where another process holds the index.
    """
    index, collection = get_vector_index(), version.index_collection()
    hold_index(version)
    missing, stale, orphaned, last = enrol_missing(version), 0, dismiss_orphans(version), -1
    for batch in index.scroll(collection.name, batch_size=BATCH):
        # A batch speaks for the whole stretch of ids up to its last one.
        stretch = Q(image_id__gt=last, image_id__lte=batch[-1].id)
        last = batch[-1].id
        absent, differing, strangers = _compare(version, stretch, {point.id: point.payload for point in batch})
        index.delete(collection.name, strangers)
        missing, stale, orphaned = missing + absent, stale + differing, orphaned + len(strangers)
    while (highest := _stretch_end(version, last)) is not None:
        absent, _, _ = _compare(version, Q(image_id__gt=last, image_id__lte=highest), {})
        missing, last = missing + absent, highest
    return VerifyReport(missing, stale, orphaned)


def _stretch_end(version: EncoderVersion, after: int) -> int | None:
    """The image id that is BATCH rows further on, or the last; None past the end."""
    ids = list(
        ImageEmbedding.objects.filter(version=version, image_id__gt=after)
        .order_by("image_id")
        .values_list("image_id", flat=True)[:BATCH]
    )
    return ids[-1] if ids else None


def _compare(version: EncoderVersion, stretch: Q, found: dict[int, Payload]) -> tuple[int, int, list[int]]:
    """Repair one stretch. Returns how many points were missing and stale, and the ids of points without a row."""
    index, name = get_vector_index(), version.index_collection().name
    rows = {row.image_id: row for row in ImageEmbedding.objects.filter(stretch, version=version)}
    settled = [row for row in rows.values() if row.state == State.INDEXED]
    wanted = payloads_of([row.image_id for row in settled])
    missing = [row for row in settled if row.image_id not in found]
    stale = [row for row in settled if row.image_id in found and found[row.image_id] != wanted.get(row.image_id)]
    index.upsert(name, points_of([*missing, *stale]))
    return len(missing), len(stale), [point_id for point_id in found if point_id not in rows]
