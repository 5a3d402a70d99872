"""The outbox: rows with pending work for the index, written in the transaction of the change that causes it."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from catalog.models import ProductImage
from embeddings.models import EncoderVersion, ImageEmbedding, ImageEmbeddingQuerySet
from embeddings.selectors import DUE_STATES, active_rows, covered_by, tracked_versions

State = ImageEmbedding.State
# States that need no encoder, in the order in which they are processed.
WITHOUT_ENCODER = (State.OUTDATED, State.REMOVED, State.EMBEDDED)
# Delays of the retries of a photo that cannot be read from its storage; it fails after the last one.
EMBED_RETRY_WAITS_S = (10, 60, 600, 3600)
PROCESSED_AT_ONCE = 256
BATCH = 1000


def images_covered(version: EncoderVersion) -> QuerySet[ProductImage]:
    """The photos that the version's collection covers, of those that are compared."""
    return ProductImage.objects.compared().filter(covered_by(version.collection_id, "product"))


def enqueue_images(image_ids: Sequence[int]) -> None:
    """Enqueue new or changed photos to be embedded by every tracked version that covers them."""
    for version in tracked_versions():
        enqueue_images_for(version, image_ids)


def enqueue_images_for(version: EncoderVersion, image_ids: Sequence[int]) -> None:
    """Enqueue photos for one version, and the removal of those that it does not cover any more.

    A photo with unchanged content keeps its vector, and its point is upserted again.
    """
    hashes = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
    known = ImageEmbedding.objects.filter(version=version, image_id__in=image_ids)
    rows = list(known)
    left = [row.pk for row in rows if row.image_id not in hashes and row.state != State.REMOVED]
    if left:
        known.filter(pk__in=left).mark_removed()
    for row in rows:
        if row.image_id not in hashes:
            continue
        content_hash = hashes[row.image_id]
        unchanged = row.content_hash == content_hash
        if unchanged and row.state == State.PENDING:
            continue
        this = known.filter(pk=row.pk)
        if unchanged and row.vector is not None:
            this.mark_to_upsert()
        else:
            this.mark_pending(content_hash=content_hash)
    if rows:
        # Also those that a worker has deleted meanwhile.
        ensure_rows(version, hashes)
    else:
        _add(version, hashes)


def enqueue_products(product_ids: Sequence[int]) -> None:
    """Enqueue payload updates of products. If the category changed, photos may enter or leave collections."""
    image_ids = list(ProductImage.objects.filter(product__in=product_ids).values_list("pk", flat=True))
    for version in tracked_versions():
        covered = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
        rows = ImageEmbedding.objects.filter(version=version, image_id__in=image_ids)
        rows.exclude(image_id__in=covered).exclude(state=State.REMOVED).mark_removed()
        staying = rows.filter(image_id__in=covered)
        staying.filter(state__in=(State.INDEXED, State.OUTDATED)).mark_outdated()
        # A worker may be upserting the point with the previous data at the moment.
        staying.filter(state=State.EMBEDDED).mark_to_upsert()
        _hold_pending(staying)
        ensure_rows(version, covered)


def _hold_pending(rows: ImageEmbeddingQuerySet) -> None:
    """Have a worker that embeds the photos at the moment wait for the end of this transaction, and read what it has changed.

    Without it, the worker could store the vector and write the point between this statement and the commit, with the previous data
    of the product. SQLite has one writer at a time by itself.
    """
    if connection.features.has_select_for_update:
        list(rows.filter(state=State.PENDING).select_for_update().order_by("pk").values_list("pk"))


def enqueue_removals(image_ids: AnyCollection[int]) -> None:
    """Enqueue the deletion of the points of photos, in all versions."""
    ImageEmbedding.objects.filter(image_id__in=image_ids).mark_removed()


def embed_again(image_ids: AnyCollection[int]) -> None:
    """Delete the vectors of photos in the tracked versions and enqueue them to be embedded again, including failed ones."""
    for version in tracked_versions():
        hashes = dict(images_covered(version).filter(pk__in=image_ids).values_list("pk", "sha256"))
        ImageEmbedding.objects.filter(version=version, image_id__in=hashes).mark_pending(drop_vector=True)
        ensure_rows(version, hashes)


def upsert_again(image_ids: AnyCollection[int]) -> None:
    """Enqueue the points of photos to be upserted again from the stored vectors, in the tracked versions."""
    versions = [version.pk for version in tracked_versions()]
    rows = ImageEmbedding.objects.filter(version__in=versions, image_id__in=image_ids)
    rows.filter(state__in=(State.INDEXED, State.OUTDATED), vector__isnull=False).mark_to_upsert()


def ensure_rows(version: EncoderVersion, hashes: Mapping[int, str]) -> int:
    """Create pending rows for photos without a row, and restore rows that are marked as removed, with their vectors.

    Args:
        version: of the rows.
        hashes: SHA-256 of the photos by image id.

    Returns:
        Number of rows created.
    """
    rows = ImageEmbedding.objects.filter(version=version, image_id__in=hashes)
    states = dict(rows.values_list("image_id", "state"))
    if State.REMOVED in states.values():
        back = rows.filter(state=State.REMOVED)
        back.filter(vector__isnull=False).mark_to_upsert()
        back.filter(vector__isnull=True).mark_pending()
    return _add(version, {image_id: hashes[image_id] for image_id in hashes if image_id not in states})


def _add(version: EncoderVersion, hashes: Mapping[int, str]) -> int:
    """Create pending rows for photos, by their hashes. Returns their number."""
    rows = [
        ImageEmbedding(version=version, image_id=image_id, content_hash=content_hash)
        for image_id, content_hash in hashes.items()
    ]
    ImageEmbedding.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500)
    return len(rows)


def ensure_all_rows(version: EncoderVersion) -> int:
    """Create rows for all covered photos without one. Returns their number."""
    images = images_covered(version).order_by("pk")
    added, last = 0, 0
    while hashes := dict(images.filter(pk__gt=last).values_list("pk", "sha256")[:BATCH]):
        added += ensure_rows(version, hashes)
        last = max(hashes)
    return added


def mark_orphans(version: EncoderVersion) -> int:
    """Mark rows as removed whose photo was deleted or is no longer covered. Returns their number."""
    rows = ImageEmbedding.objects.filter(version=version).exclude(state=State.REMOVED)
    images = images_covered(version)
    orphans, last = 0, 0
    while ids := list(rows.filter(image_id__gt=last).order_by("image_id").values_list("image_id", flat=True)[:BATCH]):
        last = ids[-1]
        covered = set(images.filter(pk__in=ids).values_list("pk", flat=True))
        orphans += rows.filter(image_id__in=[image_id for image_id in ids if image_id not in covered]).mark_removed()
    return orphans


def retry_failed(version: EncoderVersion) -> int:
    """Enqueue failed and postponed photos for an immediate retry. Returns their number."""
    rows = ImageEmbedding.objects.filter(version=version)
    return rows.filter(Q(state=State.FAILED) | Q(state=State.PENDING, attempts__gt=0)).mark_pending()


def enqueue_changed_content(version: EncoderVersion) -> int:
    """Enqueue photos whose content changed while the version was not tracked. Returns their number."""
    images = ProductImage.objects.filter(pk=OuterRef("image_id"), sha256=OuterRef("content_hash"))
    rows = ImageEmbedding.objects.filter(version=version)
    changed = rows.filter(~Exists(images), image_id__in=ProductImage.objects.values("pk"))
    enqueued, last = 0, 0
    while ids := list(changed.filter(pk__gt=last).order_by("pk").values_list("pk", "image_id")[:BATCH]):
        last = ids[-1][0]
        enqueue_images_for(version, [image_id for _, image_id in ids])
        enqueued += len(ids)
    return enqueued


def due() -> Q:
    """Condition: rows without an attempt, or whose retry delay has passed."""
    due, now = Q(attempts=0), timezone.now()
    for attempts, wait_s in enumerate(EMBED_RETRY_WAITS_S, start=1):
        due |= Q(attempts=attempts, changed_at__lte=now - timedelta(seconds=wait_s))
    return due


def next_batch(version: EncoderVersion, chosen: Q, state: str, after: int) -> Sequence[ImageEmbedding]:
    """Read the next rows of a state, by ascending primary key.

    Args:
        version: of the rows.
        chosen: restricts the rows.
        state: one of State; outdated rows are read without vectors.
        after: primary key of the last row of the previous batch; 0 for the first.

    Returns:
        At most PROCESSED_AT_ONCE rows; empty at the end.
    """
    rows = ImageEmbedding.objects.filter(chosen, version=version, state=state, pk__gt=after).order_by("pk")
    return list((rows.defer("vector", "parts") if state == State.OUTDATED else rows)[:PROCESSED_AT_ONCE])


def fill_batch(image_ids: Sequence[int], limit: int) -> list[int]:
    """Add to photos others with due rows that need no encoder, unless none of the photos has such a row.

    A large batch costs little more than a small one. The first of many messages does the work of the others.

    Args:
        image_ids: the photos of a message.
        limit: maximum size of the batch, if there are fewer photos in the message.

    Returns:
        Image ids without duplicates, those of the message first.
    """
    waiting = active_rows().filter(state__in=WITHOUT_ENCODER)
    named = list(image_ids)
    if len(named) >= limit or not waiting.filter(image_id__in=named).exists():
        return named
    others = waiting.exclude(image_id__in=named).order_by("image_id").values_list("image_id", flat=True)
    return [*named, *dict.fromkeys(others[: limit - len(named)])]


def images_to_embed(image_ids: Iterable[int]) -> list[int]:
    """The photos of these with a pending row of an active version."""
    waiting = active_rows().filter(state=State.PENDING)
    return list(waiting.filter(image_id__in=list(image_ids)).values_list("image_id", flat=True).distinct())


def stale_images(waited: timedelta, limit: int) -> list[int]:
    """List photos whose message was lost or that are due for a retry, oldest rows first.

    Args:
        waited: minimum age of rows without an attempt.
        limit: maximum number of rows.

    Returns:
        Image ids without duplicates.
    """
    retried = Q(attempts__gt=0) & due()
    rows = active_rows().filter(state__in=DUE_STATES)
    rows = rows.filter(retried | Q(attempts=0, changed_at__lte=timezone.now() - waited)).order_by("pk")
    return list(dict.fromkeys(rows.values_list("image_id", flat=True)[:limit]))
