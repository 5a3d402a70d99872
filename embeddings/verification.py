"""Compares the live index with the database, point by point, and repairs what differs."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q

from embeddings.backends import get_vector_index
from embeddings.indexing import claim_index, payloads_of, points_of
from embeddings.models import EncoderVersion, ImageEmbedding
from embeddings.outbox import ensure_all_rows, mark_orphans
from embeddings.vector_index.base import Payload

State = ImageEmbedding.State
BATCH = 1000


@dataclass(frozen=True)
class VerificationReport:
    """What was found and repaired: photos without a point, points with another payload, points without a photo."""

    missing: int
    stale: int
    orphaned: int


def verify_index(version: EncoderVersion) -> VerificationReport:
    """Compare the live index with the database and repair it.

    Missing and stale points are upserted from their stored vectors; orphaned ones are deleted. Rows that wait in the outbox are
    not counted: they are known work.

    Args:
        version: whose index.

    Returns:
        What was found.

    Raises:
        IndexLocked: another process holds the index.
        IndexUnavailable: the index does not answer.
    """
    index, collection = get_vector_index(), version.index_collection()
    claim_index(version)
    missing, stale, orphaned, last = ensure_all_rows(version), 0, mark_orphans(version), -1
    for batch in index.scroll(collection.name, batch_size=BATCH):
        # A batch stands for the whole range of ids up to its last one.
        ids = Q(image_id__gt=last, image_id__lte=batch[-1].id)
        last = batch[-1].id
        absent, differing, strangers = _compare(version, ids, {point.id: point.payload for point in batch})
        index.delete(collection.name, strangers)
        missing, stale, orphaned = missing + absent, stale + differing, orphaned + len(strangers)
    while (highest := _range_end(version, last)) is not None:
        absent, _, _ = _compare(version, Q(image_id__gt=last, image_id__lte=highest), {})
        missing, last = missing + absent, highest
    return VerificationReport(missing, stale, orphaned)


def _range_end(version: EncoderVersion, after: int) -> int | None:
    """The image id that is BATCH rows further on, or the last; None past the end."""
    ids = list(
        ImageEmbedding.objects.filter(version=version, image_id__gt=after)
        .order_by("image_id")
        .values_list("image_id", flat=True)[:BATCH]
    )
    return ids[-1] if ids else None


def _compare(version: EncoderVersion, ids: Q, found: dict[int, Payload]) -> tuple[int, int, list[int]]:
    """Repair one range of ids. Returns how many points were missing and stale, and the ids of points without a row."""
    index, name = get_vector_index(), version.index_collection().name
    rows = {row.image_id: row for row in ImageEmbedding.objects.filter(ids, version=version)}
    indexed = [row for row in rows.values() if row.state == State.INDEXED]
    wanted = payloads_of([row.image_id for row in indexed])
    missing = [row for row in indexed if row.image_id not in found]
    stale = [row for row in indexed if row.image_id in found and found[row.image_id] != wanted.get(row.image_id)]
    index.upsert(name, points_of([*missing, *stale]))
    return len(missing), len(stale), [point_id for point_id in found if point_id not in rows]
