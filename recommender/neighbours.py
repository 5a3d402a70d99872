"""The products nearest to a product, as the index finds them, kept until the index changes: for them, nothing is searched.

What depends on more than the index (what may be shown, prices, variants, rules) is looked at for each answer.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connection

from catalog.models import ProductImage
from embeddings.backends import get_vector_index
from embeddings.errors import EmbeddingsError
from embeddings.parts.layout import Weights
from embeddings.selectors import LiveCollection, live_collection
from embeddings.vector_index.base import UNFILTERED, Hit
from jobs.process import process
from recommender.filtering import same_pictures
from recommender.metrics import KNOWN_NEIGHBOURS
from recommender.retrieval import Sought, nearest_products
from recommender.selectors import Start, VectorReader, beside_each, read_vectors
from recommender.weighing import Weighing

# So many are looked for, the product itself among them. More would take longer to find, and all to keep.
NEIGHBOURS = 20
_MOST = 100_000
_ROW = Struct("=QQffQ")
# They are found ahead of requests once the index has been as it is for so long, of so many products at a time. Each time the thread
# then pauses for so many times as long as that took.
_IDLE_S, _MOST_IDLE_S, _POLL_S = 30.0, 3600.0, 0.5
_AT_ONCE, _PAUSES = 5, 3

logger = logging.getLogger(__name__)


class Neighbour(NamedTuple):
    """A product that is near.

    Attributes:
        product_id: its id.
        image_id: its photo that matches best.
        score: of the index.
        cosine: of the shapes, see `Weighing.cosines`; None without one.
        query_image: the photo that it matches, of the product that it is near to.
    """

    product_id: int
    image_id: int
    score: float
    cosine: float | None
    query_image: int


class Neighbours(NamedTuple):
    """The nearest products, the product itself among them.

    Attributes:
        each: best first, NEIGHBOURS at most.
        same: positions of those that show the same picture, as in `same_pictures`.
    """

    each: Sequence[Neighbour]
    same: Sequence[tuple[int, int]]

    @property
    def are_all(self) -> bool:
        """Whether the index has no others."""
        return len(self.each) < NEIGHBOURS


class _Found(NamedTuple):
    """Neighbours as they are kept, in some 1 KB. revision: of the index. photos: as in `Start`."""

    revision: int
    photos: int
    rows: bytes
    same: Sequence[tuple[int, int]]


# Index collection, weights, whether there are cosines, product.
_Key = tuple[str, Weights, bool, int]


class _Ahead:
    """Whether and how this process finds neighbours ahead of requests: by one thread, once for each state of an index."""

    def __init__(self) -> None:
        self.is_on = False
        # By index collection: its weights and revision.
        self._begun: dict[str, tuple[Weights, int | None]] = {}
        # Longer each time that the index has changed before all were found: where it changes all the time, that would be in vain.
        self._idle_s = _IDLE_S
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def wake(self, live: LiveCollection, revision: int | None) -> None:
        """Neighbours were asked for that were not kept."""
        if not self.is_on or revision is None or self._begun.get(live.index.name) == (live.weights, revision):
            return
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                KNOWN_NEIGHBOURS.labels(live.slug).set(0)
                self._thread = threading.Thread(target=self._run, args=[live], name="neighbours")
                self._thread.start()

    def _run(self, live: LiveCollection) -> None:
        try:
            if (revision := _settled(live, self._idle_s)) is not None:
                self._begun[live.index.name] = live.weights, revision
                find_ahead(live, pauses=_PAUSES)
                is_same = _revision(live) == revision
                self._idle_s = _IDLE_S if is_same else min(2 * self._idle_s, _MOST_IDLE_S)
        except (EmbeddingsError, DatabaseError, InterfaceError) as error:
            # Requests find what they need by themselves.
            logger.warning("the neighbours of products are not found ahead: %s", error)
        finally:
            connection.close()


class _KeptNeighbours:
    """Neighbours by product, of 100,000 in some 100 MB; those that were kept first make room."""

    def __init__(self) -> None:
        self._found: OrderedDict[_Key, _Found] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: _Key, revision: int | None, photos: int) -> Neighbours | None:
        found = self._found.get(key)
        if found is None or found.revision != revision or found.photos != photos:
            return None
        rows = [
            Neighbour(product_id, image_id, score, None if math.isnan(cosine) else cosine, query_image)
            for product_id, image_id, score, cosine, query_image in _ROW.iter_unpack(found.rows)
        ]
        return Neighbours(rows, found.same)

    def keep(self, key: _Key, revision: int | None, photos: int, neighbours: Neighbours) -> None:
        if revision is None:
            return
        rows = b"".join(
            [
                _ROW.pack(
                    each.product_id,
                    each.image_id,
                    each.score,
                    math.nan if each.cosine is None else each.cosine,
                    each.query_image,
                )
                for each in neighbours.each
            ]
        )
        with self._lock:
            self._found[key] = _Found(revision, photos, rows, neighbours.same)
            while len(self._found) > _MOST:
                self._found.popitem(last=False)


def neighbours_of_each(
    live: LiveCollection, starts: Mapping[int, Start], weights: Weights | None
) -> dict[int, Neighbours]:
    """The nearest products to each of several products.

    They are those of a search at this moment: what is kept is of the same state of the index.

    Args:
        live: the collection.
        starts: by product, of products with embedded photos.
        weights: of the query; None for the collection's own.

    Returns:
        Neighbours by product; none of a product whose photos were removed meanwhile.

    Raises:
        NoParts: the query has weights, and the collection's vectors have no parts.
        EncoderMismatch: the index holds vectors of another encoder.
        CollectionNotFound: nothing was indexed yet.
        IndexUnavailable: the index does not respond.
    """
    kept = process.get(_KeptNeighbours)
    # Before the search: what it finds may be newer, never older.
    revision = get_vector_index().revision(live.index.name)
    place = (live.index.name, live.weights_of(weights), live.calibration is not None)
    keys = {product_id: ((*place, product_id), start.photos) for product_id, start in starts.items()}
    found = {each: known for each, (key, photos) in keys.items() if (known := kept.find(key, revision, photos))}
    if missing := {each: start for each, start in starts.items() if each not in found}:
        process.get(_Ahead).wake(live, revision)
        for product_id, neighbours in _search(live, missing, weights).items():
            found[product_id] = neighbours
            key, photos = keys[product_id]
            kept.keep(key, revision, photos, neighbours)
    return found


def start_finding_ahead() -> None:
    """Have this process, which serves, find the neighbours of all products ahead of requests."""
    process.get(_Ahead).is_on = True


def find_ahead(live: LiveCollection, *, pauses: float = 0.0) -> int:
    """Find the neighbours of the products of a collection, until all are kept or the index changes.

    Args:
        live: the collection.
        pauses: how many times as long as it works it lets others work.

    Returns:
        Of how many products they are kept.

    Raises:
        IndexUnavailable: the index does not respond.
    """
    revision, after, number = _revision(live), -1, 0
    while revision is not None and number < _MOST and _revision(live) == revision:
        began = time.monotonic()
        further = ProductImage.objects.filter(product__gt=after, product__active=True).order_by("product_id")
        ids = [*further.values_list("product_id", flat=True).distinct()[:_AT_ONCE]]
        # A process that ends waits for this thread.
        if not ids or not threading.main_thread().is_alive():
            break
        starts = {each: start for each, start in beside_each(live, ids).items() if start.photos}
        if starts:
            neighbours_of_each(live, starts, None)
        after, number = ids[-1], number + len(starts)
        KNOWN_NEIGHBOURS.labels(live.slug).set(number)
        time.sleep(pauses * (time.monotonic() - began))
    return number


def _revision(live: LiveCollection) -> int | None:
    """The revision of an index; None where there is none, and if another index took its place, so that this is not opened again."""
    if live_collection(live.slug).index.name != live.index.name:
        return None
    return get_vector_index().revision(live.index.name)


def _settled(live: LiveCollection, idle_s: float) -> int | None:
    """Wait until an index has been as it is for so long; returns its revision, None as `_revision` and if this process ends."""
    revision, since = _revision(live), time.monotonic()
    while revision is not None and time.monotonic() - since < idle_s:
        if not threading.main_thread().is_alive():
            return None
        time.sleep(_POLL_S)
        if (now := _revision(live)) != revision:
            revision, since = now, time.monotonic()
    return revision


def _search(live: LiveCollection, starts: Mapping[int, Start], weights: Weights | None) -> dict[int, Neighbours]:
    read_vectors(live, starts.values())
    reader = VectorReader(live)
    weighings = {
        each: Weighing(live, [*start.vectors.values()], weights, reader)
        for each, start in starts.items()
        if start.vectors
    }
    if not weighings:
        return {}
    sought = [
        Sought(weighing.asked, UNFILTERED, NEIGHBOURS, reader, breadth=weighing.breadth)
        for weighing in weighings.values()
    ]
    answers = dict(zip(weighings, nearest_products(live.index, sought), strict=True))
    if live.calibration is not None and live.layout.parts:
        # At once.
        reader([hit.id for hits in answers.values() for hit in hits])
    return {
        each: _neighbours(live, weighings[each], [*starts[each].vectors], hits, reader)
        for each, hits in answers.items()
    }


def _neighbours(
    live: LiveCollection, weighing: Weighing, photos: Sequence[int], hits: Sequence[Hit], reader: VectorReader
) -> Neighbours:
    cosines = [None] * len(hits) if live.calibration is None else weighing.cosines(hits)
    each = [
        Neighbour(hit.product_id, hit.id, hit.score, cosine, photos[hit.example])
        for hit, cosine in zip(hits, cosines, strict=True)
    ]
    return Neighbours(each, same_pictures(hits, live.index.distance, reader))
