"""Read queries: live collections, states of photos, size of the outbox."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from catalog.models import Category, Product
from embeddings.backends import get_vector_index
from embeddings.calibration import Calibration
from embeddings.errors import UnknownCollection
from embeddings.models import Collection, EncoderVersion, ImageEmbedding, ImageEmbeddingQuerySet
from embeddings.parts.layout import Layout, Weights
from embeddings.registry import registry
from embeddings.vector_index.base import IndexCollection

LIVE_COLLECTION_TTL_S = 1.0

_State = ImageEmbedding.State
# States of rows that are still to be processed.
DUE_STATES = (_State.PENDING, _State.EMBEDDED, _State.OUTDATED, _State.REMOVED)


@dataclass(frozen=True, slots=True)
class LiveRanker:
    """The active ranker of a collection, as queries need it.

    Attributes:
        label: how users name it.
        kind: a value of `RankerVersion.Kind`.
        files: its folder in ENCODERS_ROOT.
        fingerprint: of its files.
    """

    label: str
    kind: str
    files: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class LiveCollection:
    """The active version of a collection, as queries need it.

    Attributes:
        slug: of the collection.
        collection_id: its primary key.
        version_id: of the encoder version.
        label: of the encoder version.
        encoder: a name for `get_encoder`.
        fingerprint: of the model file.
        index: the live generation.
        layout: what its vectors consist of.
        weights: what each part counts by default.
        texts: the live generation of the products' texts.
        text_encoder: a name for `get_text_encoder`; "" where texts have words alone.
        text_map: a name for `get_text_map`; "" where none was trained for this text encoder.
        language: of the texts.
        calibration: of cosines of the encoder's vectors; None if the version has none.
        text_lengths: mean lengths of the fields of texts.
        ranker: what puts the best of a search by words in order; None: nothing does.
    """

    slug: str
    collection_id: int
    version_id: int
    label: str
    encoder: str
    fingerprint: str
    index: IndexCollection
    layout: Layout
    weights: Weights
    texts: IndexCollection
    text_encoder: str
    text_map: str
    language: str
    calibration: Calibration | None = None
    text_lengths: Mapping[str, float] = field(default_factory=dict)
    ranker: LiveRanker | None = None

    @property
    def dim(self) -> int:
        """Length of the encoder's vectors."""
        return self.layout.shape

    def weights_of(self, asked: Weights | None) -> Weights:
        """What each part counts in a query. asked: its own weights; None for the collection's."""
        return self.weights if asked is None else asked


class LiveCollections:
    """Cache of live collections; an entry expires after LIVE_COLLECTION_TTL_S without `confirm`."""

    def __init__(self) -> None:
        self._read: dict[str, tuple[float, LiveCollection]] = {}
        self._missing: dict[str, frozenset[str]] = {}
        self._confirmed_at = -math.inf
        self._lock = threading.Lock()

    def get(self, slug: str) -> LiveCollection:
        """See `live_collection`."""
        now = time.monotonic()
        entry = self._read.get(slug)
        if entry is not None and now - max(entry[0], self._confirmed_at) < LIVE_COLLECTION_TTL_S:
            return entry[1]
        live = _read_live_collection(slug)
        with self._lock:
            self._read[slug] = (now, live)
        return live

    def confirm(self) -> None:
        """Take every entry for current: the stamp of what they were read from has not changed."""
        self._confirmed_at = time.monotonic()

    def missing_fields(self, name: str) -> frozenset[str]:
        """See `missing_fields`. name: of the index collection, which is rebuilt to get fields."""
        if name not in self._missing:
            self._missing[name] = get_vector_index().missing_fields(name)
        return self._missing[name]


def live_collection(slug: str) -> LiveCollection:
    """Get the live state of a collection, at most LIVE_COLLECTION_TTL_S old.

    Args:
        slug: of the collection.

    Returns:
        Its active version, as queries need it.

    Raises:
        UnknownCollection: there is no such collection, or it has no active version.
    """
    return registry.get(LiveCollections).get(slug)


def missing_fields(live: LiveCollection) -> frozenset[str]:
    """The fields that the index of a collection cannot be filtered by until it is rebuilt, since it was made before them.

    Args:
        live: the collection.

    Returns:
        Fields of PAYLOAD_FIELDS; as a rule none.

    Raises:
        CollectionNotFound: nothing was indexed yet.
        IndexUnavailable: the vector index does not respond.
    """
    return registry.get(LiveCollections).missing_fields(live.index.name)


def clear_live_collection_cache() -> None:
    """Clear the cache of this process, after the active version has changed."""
    registry.drop(LiveCollections)


def _read_live_collection(slug: str) -> LiveCollection:
    related = ("active_version__collection__active_ranker__collection",)
    collection = Collection.objects.filter(slug=slug).select_related(*related).first()
    if collection is None or collection.active_version is None:
        known = Collection.objects.filter(active_version__isnull=False).values_list("slug", flat=True)
        raise UnknownCollection.named(slug, known)
    return live_of(collection.active_version)


def live_of(version: EncoderVersion) -> LiveCollection:
    """A version as queries need it.

    Args:
        version: one whose index is kept up: the active one or the previous one of its collection.

    Returns:
        Its collection with this version.
    """
    ranker = version.collection.active_ranker
    return LiveCollection(
        version.collection.slug,
        version.collection_id,
        version.pk,
        version.label,
        version.encoder,
        version.fingerprint,
        version.index_collection(),
        version.layout,
        version.default_weights,
        version.text_collection(),
        version.text_encoder,
        version.text_map if version.text_encoder else "",
        version.collection.language,
        confidence_calibration(version),
        version.text_lengths,
        None if ranker is None else LiveRanker(ranker.label, ranker.kind, ranker.files, ranker.fingerprint),
    )


@dataclass(frozen=True, slots=True)
class CollectionSummary:
    """A collection as clients see it.

    Attributes:
        slug: for `collection=`.
        name: for users.
        categories: slug paths, with everything below them.
        covers_all: whether it covers the whole catalogue instead.
        distance: a value of Distance.
        encoder: label of its active encoder version; None without one, so that it recommends nothing yet.
        photos: number of photos that its index has.
    """

    slug: str
    name: str
    categories: Sequence[str]
    covers_all: bool
    distance: str
    encoder: str | None
    photos: int


def collection_summaries() -> list[CollectionSummary]:
    """All collections, in three queries, by slug."""
    collections = list(Collection.objects.select_related("active_version__collection").prefetch_related("categories"))
    indexed = ImageEmbedding.objects.filter(
        version__in=[each.active_version_id for each in collections if each.active_version_id], state=_State.INDEXED
    )
    photos = dict(indexed.order_by().values_list("version").annotate(Count("pk")))
    return [
        CollectionSummary(
            slug=each.slug,
            name=each.name,
            categories=[category.path for category in each.categories.all()],
            covers_all=each.covers_all,
            distance=each.distance,
            encoder=each.active_version.label if each.active_version else None,
            photos=photos.get(each.active_version_id, 0),
        )
        for each in collections
    ]


def covered_by(collection_id: int, product: str = "") -> Q:
    """The condition by which a collection covers products: one of their categories is one of its categories, or below one.

    Args:
        collection_id: the collection.
        product: path of the product from the model that is filtered, e.g. "product"; "" for products.

    Returns:
        The condition. Everything meets it if the collection covers the whole catalogue, and nothing if it has no categories.
    """
    if Collection.objects.filter(pk=collection_id, covers_all=True).exists():
        return Q()
    subtrees = Q(pk__in=())
    for path in Category.objects.filter(collection=collection_id).values_list("path", flat=True):
        subtrees |= Q(path=path) | Q(path__below=path)
    categories = Category.objects.filter(subtrees)
    others = Product.other_categories.through.objects.filter(category__in=categories)
    category, key = (f"{product}__category", product) if product else ("category", "pk")
    return Q((f"{category}__in", categories)) | Q((f"{key}__in", others.values("product")))


def confidence_calibration(version: EncoderVersion) -> Calibration | None:
    """The calibration of the class level (same kind of product); of the product level if the version has only that."""
    fitted = version.calibration or {}
    document = fitted.get("kind") or fitted.get("product")
    return None if document is None else Calibration.from_dict(document)


def active_versions() -> list[EncoderVersion]:
    """The active encoder version of each collection that has one."""
    collections = Collection.objects.filter(active_version__isnull=False).select_related("active_version__collection")
    return [collection.active_version for collection in collections if collection.active_version is not None]


def versions_in_use() -> QuerySet[EncoderVersion]:
    """The active versions and those kept for rollback, whose indexes are used for queries or may be soon."""
    return EncoderVersion.objects.filter(_in_use()).select_related("collection")


def tracked_versions() -> list[EncoderVersion]:
    """The versions for which changes of the catalogue are enqueued: active, kept for rollback, or being built."""
    tracked = _in_use() | Q(rebuild_started_at__isnull=False)
    # Each change of a product asks for them, and needs no more than their ids.
    return list(EncoderVersion.objects.filter(tracked).only("pk", "collection_id"))


def _in_use() -> Q:
    collections = Collection.objects.all()
    return Q(pk__in=collections.values("active_version")) | Q(pk__in=collections.values("previous_version"))


def embeddings_of(image_ids: Iterable[int]) -> QuerySet[ImageEmbedding]:
    """Outbox rows of photos for the active versions, without the vectors."""
    active = Collection.objects.filter(active_version__isnull=False).values("active_version")
    rows = ImageEmbedding.objects.filter(version__in=active, image_id__in=list(image_ids))
    return (
        rows.select_related("version__collection").defer("vector", "parts").order_by("version__collection__slug", "pk")
    )


def active_rows() -> ImageEmbeddingQuerySet:
    """The outbox rows of the active versions, one per photo and version."""
    return ImageEmbedding.objects.filter(version__in=[version.pk for version in active_versions()])


def outbox_counts() -> dict[str, int]:
    """Number of photos of the active versions by state."""
    counts = dict(active_rows().values_list("state").annotate(count=Count("pk")).order_by())
    return {state: counts.get(state, 0) for state in ImageEmbedding.State.values}


def oldest_due_age_s() -> dict[str, float]:
    """Age of the oldest row of the active versions by due state, in seconds; 0 if there is none."""
    rows = active_rows().filter(state__in=DUE_STATES)
    oldest = dict(rows.values_list("state").annotate(oldest=Min("changed_at")).order_by())
    now = timezone.now()
    # The clock of the database may be ahead.
    return {state: max(0.0, (now - oldest[state]).total_seconds()) if state in oldest else 0.0 for state in DUE_STATES}
