"""Compares the live index with the database, point by point, and repairs what differs.

Only the process that holds an embedded index can read it. Another one leaves a request in the database, which the holder's
outbox thread executes, and waits for the result.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError, IndexLocked, IndexUnavailable
from embeddings.indexing import claim_index, payloads_of, points_of
from embeddings.models import EncoderVersion, ImageEmbedding, VerificationRequest
from embeddings.outbox import ensure_all_rows, mark_orphans
from embeddings.selectors import active_versions
from embeddings.text_indexing import repair_texts
from embeddings.vector_index.base import Payload
from jobs.progress import ProgressCallback, StageProgress

State = ImageEmbedding.State
BATCH = 1000
STAGE = "comparing"
# How often a process that waits looks for the result, and the one that compares writes its progress.
WAIT_S, WRITE_EVERY_S = 1.0, 0.5
KEPT = timedelta(hours=1)


@dataclass(frozen=True)
class VerificationReport:
    """What was found and repaired: photos without a point, points with another payload, points without a photo."""

    missing: int
    stale: int
    orphaned: int

    @property
    def found(self) -> bool:
        """Whether there was a difference."""
        return self != VerificationReport(0, 0, 0)


def verify(version: EncoderVersion, on_progress: ProgressCallback) -> VerificationReport:
    """Compare the live index with the database and repair it, here or in the process that holds the index.

    A process that is interrupted while it waits loses nothing: the comparison goes on.

    Args:
        version: an active one.
        on_progress: called with the stage "comparing".

    Returns:
        What was found.

    Raises:
        IndexUnavailable: the index does not answer, or the comparison failed in the other process.
    """
    request: VerificationRequest | None = None
    while True:
        try:
            report = verify_index(version, on_progress)
        except IndexLocked:
            # Asked for again each time: the holder may end without having seen the request, and then this process can do it.
            if request is None:
                request, _ = VerificationRequest.objects.get_or_create(version=version, finished_at=None)
        else:
            if request is not None:
                VerificationRequest.objects.filter(pk=request.pk, finished_at=None).delete()
            return report
        request.refresh_from_db()
        on_progress(STAGE, request.done, request.total)
        if request.finished_at is not None:
            return _report_of(request)
        time.sleep(WAIT_S)


def execute_requests(on_progress: ProgressCallback) -> None:
    """Execute the requests of other processes, in the one that holds the index. One that is interrupted is executed again.

    Args:
        on_progress: called with the stage "comparing"; what it raises interrupts the comparison.
    """
    for request in VerificationRequest.objects.filter(finished_at=None).select_related("version__collection"):
        version = next((each for each in active_versions() if each.pk == request.version_id), None)
        if version is None:
            _finish(request, error=f"{request.version.label} is no longer the active version")
            continue
        try:
            report = verify_index(version, _Noted(request, on_progress))
        except EmbeddingsError as error:
            _finish(request, error=str(error))
        else:
            _finish(request, **asdict(report))


class _Noted:
    """Writes the progress into the row of a request, for the process that waits, and passes it on."""

    def __init__(self, request: VerificationRequest, on_progress: ProgressCallback) -> None:
        self._request, self._on_progress = request, on_progress
        self._written_at = float("-inf")

    def __call__(self, stage: str, done: int, total: int) -> None:
        self._on_progress(stage, done, total)
        if time.monotonic() - self._written_at > WRITE_EVERY_S:
            self._written_at = time.monotonic()
            VerificationRequest.objects.filter(pk=self._request.pk).update(done=done, total=total)


def _finish(request: VerificationRequest, **values: int | str) -> None:
    """Write the result, and delete those that everybody who waited has read."""
    now = timezone.now()
    VerificationRequest.objects.filter(finished_at__lt=now - KEPT).delete()
    VerificationRequest.objects.filter(pk=request.pk).update(finished_at=now, **values)


def _report_of(request: VerificationRequest) -> VerificationReport:
    if request.error or request.missing is None or request.stale is None or request.orphaned is None:
        raise IndexUnavailable(request.error)
    return VerificationReport(request.missing, request.stale, request.orphaned)


def verify_index(version: EncoderVersion, on_progress: ProgressCallback | None = None) -> VerificationReport:
    """Compare the live index with the database and repair it.

    Missing and stale points are upserted from their stored vectors; orphaned ones are deleted. Rows that wait in the outbox are
    not counted: they are known work. Texts are repaired as well, and not counted.

    Args:
        version: whose index.
        on_progress: called with the stage "comparing", by rows.

    Returns:
        What was found.

    Raises:
        IndexLocked: another process holds the index.
        IndexUnavailable: the index does not answer.
    """
    index, collection = get_vector_index(), version.index_collection()
    claim_index(version)
    repair_texts(version)
    missing, stale, orphaned, last = ensure_all_rows(version), 0, mark_orphans(version), -1
    progress = StageProgress(on_progress, STAGE, ImageEmbedding.objects.filter(version=version).count())
    for batch in index.scroll(collection.name, batch_size=BATCH):
        # A batch stands for the whole range of ids up to its last one.
        ids = Q(image_id__gt=last, image_id__lte=batch[-1].id)
        last = batch[-1].id
        absent, differing, strangers = _compare(version, ids, {point.id: point.payload for point in batch})
        index.delete(collection.name, strangers)
        missing, stale, orphaned = missing + absent, stale + differing, orphaned + len(strangers)
        progress.advance(len(batch) - len(strangers))
    while (highest := _range_end(version, last)) is not None:
        absent, _, _ = _compare(version, Q(image_id__gt=last, image_id__lte=highest), {})
        missing, last = missing + absent, highest
        progress.advance(absent)
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
    index.upsert(name, points_of(version.layout, [*missing, *stale]))
    return len(missing), len(stale), [point_id for point_id in found if point_id not in rows]
