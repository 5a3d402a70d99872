"""Reads of the embedding service: what is live, where photos stand, how much work waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from embeddings.calibration import Calibration
from embeddings.errors import UnknownCollection
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, ImageEmbeddingQuerySet
from embeddings.registry import registry
from embeddings.vector_index.base import IndexCollection

LIVE_COLLECTION_TTL_S = 1.0

_State = ImageEmbedding.State
# States of rows that are still to be processed.
TO_DO = (_State.PENDING, _State.EMBEDDED, _State.OUTDATED, _State.REMOVED)


@dataclass(frozen=True, slots=True)
class LiveCollection:
    """What answers a collection's queries now. `label` names the encoder version; `index` is the live generation.

    `confidence`: what a score says of two photos showing the same kind of product; None where nobody has measured it.
    """

    slug: str
    version_id: int
    label: str
    encoder: str
    fingerprint: str
    index: IndexCollection
    confidence: Calibration | None = None

    @property
    def dim(self) -> int:
        """Length of the vectors that it is asked with."""
        return self.index.dim


class LiveCollections:
    """What answers each collection's queries, read from the database at most once in LIVE_COLLECTION_TTL_S."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[float, LiveCollection]] = {}
        self._lock = threading.Lock()

    def get(self, slug: str) -> LiveCollection:
        """See `live_collection`."""
        now = time.monotonic()
        entry = self._read.get(slug)
        if entry is not None and now - entry[0] < LIVE_COLLECTION_TTL_S:
            return entry[1]
        live = _read_live_collection(slug)
        with self._lock:
            self._read[slug] = (now, live)
        return live

    def forget(self) -> None:
        """Read them again at the next call."""
        with self._lock:
            self._read.clear()


def live_collection(slug: str) -> LiveCollection:
    """The live state of a collection, at most LIVE_COLLECTION_TTL_S old.

    Args:
        slug: of the collection.

    Returns:
        Its active version, as queries need it.

    Raises:
        UnknownCollection: there is no such collection, or it has no active version.
    """
    return registry.get(LiveCollections).get(slug)


def forget_live_collections() -> None:
    """After a switch: read the live state again at the next call."""
    registry.get(LiveCollections).forget()


def _read_live_collection(slug: str) -> LiveCollection:
    collection = Collection.objects.filter(slug=slug).select_related("active_version__collection").first()
    if collection is None or collection.active_version is None:
        known = Collection.objects.filter(active_version__isnull=False).values_list("slug", flat=True)
        raise UnknownCollection.named(slug, known)
    version = collection.active_version
    return LiveCollection(
        slug,
        version.pk,
        version.label,
        version.encoder,
        version.fingerprint,
        version.index_collection(),
        confidence_of(version),
    )


def confidence_of(version: EncoderVersion) -> Calibration | None:
    """The version's calibration for the same kind of product, or, where it was trained by product, for the same product."""
    fitted = version.calibration or {}
    document = fitted.get("kind") or fitted.get("product")
    return None if document is None else Calibration.from_dict(document)


def active_versions() -> list[EncoderVersion]:
    """The active encoder version of each collection that has one."""
    collections = Collection.objects.filter(active_version__isnull=False).select_related("active_version__collection")
    return [collection.active_version for collection in collections if collection.active_version is not None]


def versions_in_use() -> QuerySet[EncoderVersion]:
    """The versions that are active or kept for a roll-back: queries are answered by their indices, or may be in a moment."""
    return EncoderVersion.objects.filter(_in_use()).select_related("collection")


def followed_versions() -> list[EncoderVersion]:
    """The versions that changes of the catalogue are enqueued for: active, kept for a roll-back, or being built."""
    followed = _in_use() | Q(rebuild_started_at__isnull=False)
    return list(EncoderVersion.objects.filter(followed).select_related("collection"))


def _in_use() -> Q:
    collections = Collection.objects.all()
    return Q(pk__in=collections.values("active_version")) | Q(pk__in=collections.values("previous_version"))


def embeddings_of(image_ids: Iterable[int]) -> QuerySet[ImageEmbedding]:
    """Where these photos stand with the active versions, without the vectors."""
    active = Collection.objects.filter(active_version__isnull=False).values("active_version")
    rows = ImageEmbedding.objects.filter(version__in=active, image_id__in=list(image_ids))
    return rows.select_related("version__collection").defer("vector").order_by("version__collection__slug", "pk")


def rows_of_active_versions() -> ImageEmbeddingQuerySet:
    """The outbox: a row for each photo and active version."""
    return ImageEmbedding.objects.filter(version__in=[version.pk for version in active_versions()])


def outbox_counts() -> dict[str, int]:
    """How many photos of active versions are in each state."""
    counts = dict(rows_of_active_versions().values_list("state").annotate(count=Count("pk")).order_by())
    return {state: counts.get(state, 0) for state in ImageEmbedding.State.values}


def waiting_seconds() -> dict[str, float]:
    """How long the oldest row of active versions has waited in each state that is still to be processed; 0 where none does."""
    rows = rows_of_active_versions().filter(state__in=TO_DO)
    oldest = dict(rows.values_list("state").annotate(oldest=Min("changed_at")).order_by())
    now = timezone.now()
    # A clock of the database's may be ahead of this machine's.
    return {state: max(0.0, (now - oldest[state]).total_seconds()) if state in oldest else 0.0 for state in TO_DO}
