"""The same product elsewhere in the catalogue: candidates by photo and by text, each with the probability that it is.

Photos are looked for in the vector index of the collection `all`. Titles are in an index of each process (`CatalogueTexts`), which
reads the products that changed since the last call.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

import numpy as np
from django.db.models import Q
from numpy.typing import NDArray

from catalog.errors import ProductNotFound
from catalog.models import Product, ProductImage
from embeddings.backends import encoder_of, get_vector_index
from embeddings.errors import CollectionNotFound, UnknownCollection
from embeddings.matching.blocking import TextIndex
from embeddings.matching.features import Evidence, features_of
from embeddings.matching.gallery import CANDIDATES, Entry, evidence_of, nearest
from embeddings.matching.probability import Coefficients, default_coefficients
from embeddings.matching.records import Record
from embeddings.models import ImageEmbedding, MatchCoefficients
from embeddings.parts.layout import Weights
from embeddings.registry import registry
from embeddings.selectors import LiveCollection, live_collection
from embeddings.stored_vectors import vector_from_bytes
from embeddings.vector_index.base import Filter, VectorQuery
from pictures.photos import open_visitors_photo

COLLECTION = "all"
MAX_MATCHES = 100
DEFAULT_MATCHES = 10

_State = ImageEmbedding.State
_MAX_ASKED = 8
# Writes that began before the last read and were committed after it.
_OVERLAP = timedelta(seconds=30)
_COLUMNS = ("title", "brand", "description", "price", "currency", "attributes", "sku")


@dataclass(frozen=True, slots=True)
class Match:
    """A product that may be the same.

    Attributes:
        product: its id.
        probability: that it is the same, 0 to 1, calibrated.
        photo: highest cosine of two photos; None: a side has none.
        text: cosine of the titles' words and trigrams, 0 to 1.
        reasons: what each feature added to the log-odds, the largest first.
    """

    product: int
    probability: float
    photo: float | None
    text: float
    reasons: Mapping[str, float]


class CatalogueTexts:
    """The titles of all active products, in memory. 100,000 take 5 s of a processor at first, and some 100 MB."""

    def __init__(self) -> None:
        """Begin empty; the first call reads all."""
        self._lock = Lock()
        self._start()

    def _start(self) -> None:
        self._index = TextIndex()
        self._products: list[int] = []  # of the rows
        self._row_of: dict[int, int] = {}
        self._tokens: dict[int, tuple[str, ...]] = {}
        self._read_until: datetime | None = None

    def cosines(self, record: Record) -> tuple[dict[int, float], TextIndex]:
        """How alike the title of a record and those of all products are.

        Args:
            record: what is looked for.

        Returns:
            Cosines by product, of those most alike; and the index, for the weights of words.
        """
        with self._lock:
            self._refresh()
            scores = self._index.cosines(record.tokens)
            rows = nearest(scores, 4 * CANDIDATES)
            best = {
                self._products[row]: float(scores[row])
                for row in rows.tolist()
                if scores[row] > 0 and self._row_of[self._products[row]] == row
            }
            return best, self._index

    def cosines_of(self, record: Record, products: AnyCollection[int]) -> dict[int, float]:
        """The same for some products; of those that are not known, 0.

        Args:
            record: what is looked for.
            products: their ids.

        Returns:
            Cosines by product.
        """
        with self._lock:
            scores = self._index.cosines(record.tokens)
            return {
                product: float(scores[self._row_of[product]]) if product in self._row_of else 0.0
                for product in products
            }

    def _refresh(self) -> None:
        products = Product.objects.order_by()
        if self._read_until is None:
            products = products.filter(active=True)
        else:
            products = products.filter(updated_at__gte=self._read_until - _OVERLAP)
        latest, new = self._read_until, []
        for pk, updated_at, title, brand in products.values_list("pk", "updated_at", "title", "brand").iterator():
            latest = updated_at if latest is None else max(latest, updated_at)
            tokens = Record(title, brand).tokens
            if self._tokens.get(pk) != tokens:
                self._tokens[pk] = tokens
                self._row_of[pk] = len(self._products)
                self._products.append(pk)
                new.append(tokens)
        self._index.add(new)
        self._read_until = latest
        if len(self._products) > 2 * len(self._row_of):
            self._start()
            self._refresh()


def matches_of_product(product_id: int, *, limit: int = DEFAULT_MATCHES, min_probability: float = 0.0) -> list[Match]:
    """The products that may be the same as one of the catalogue. Its own variants are not among them.

    Args:
        product_id: an active product.
        limit: the most matches.
        min_probability: the lowest that is still returned.

    Returns:
        Matches, the most probable first.

    Raises:
        ProductNotFound: there is no active product with this id.
        IndexUnavailable: the vector index does not respond.
        EncoderMismatch: the index holds vectors of another encoder.
    """
    product = Product.objects.filter(pk=product_id, active=True).first()
    if product is None:
        raise ProductNotFound(product_id)
    main = product.variant_of_id or product.pk
    family = Product.objects.filter(Q(pk=main) | Q(variant_of=main)).values_list("pk", flat=True)
    live = _live()
    vectors = [] if live is None else vectors_of_photos(live.version_id, [product_id]).get(product_id, [])
    entry = Entry(record_of(product), np.stack(vectors)) if vectors else Entry(record_of(product))
    return _matches(entry, live, hidden={product_id, *family}, limit=limit, min_probability=min_probability)


def matches_of_record(
    record: Record, photo: bytes | None = None, *, limit: int = DEFAULT_MATCHES, min_probability: float = 0.0
) -> list[Match]:
    """The products that may be the same as a record of another shop.

    Args:
        record: what it says.
        photo: a file, in any format that `open_rgb` reads.
        limit: the most matches.
        min_probability: the lowest that is still returned.

    Returns:
        Matches, the most probable first.

    Raises:
        ImageRejected: the file is not a usable photo.
        DecoderBusy: other large photos are being decoded.
        EncoderUnavailable: the encoder's file cannot be loaded.
        IndexUnavailable: the vector index does not respond.
        EncoderMismatch: encoder and index do not fit together.
    """
    live = _live()
    entry = Entry(record)
    if photo is not None and live is not None:
        encoder = encoder_of(live)
        picture = open_visitors_photo(photo, min_side=encoder.input_size)
        entry = Entry(record, encoder.encode([picture]))
    return _matches(entry, live, hidden=set(), limit=limit, min_probability=min_probability)


def coefficients() -> Coefficients:
    """Those that were fitted last on what this shop decided, or the default."""
    fitted = MatchCoefficients.objects.order_by("-pk").first()
    return (
        default_coefficients() if fitted is None else Coefficients(fitted.values, f"{fitted.pairs} pairs of this shop")
    )


def record_of(product: Product) -> Record:
    """What a product says."""
    values = {name: getattr(product, name) for name in _COLUMNS}
    return Record(
        values["title"],
        values["brand"],
        values["description"],
        values["price"],
        values["currency"],
        {name: str(value) for name, value in values["attributes"].items()},
        values["sku"],
    )


def _matches(
    entry: Entry, live: LiveCollection | None, *, hidden: AnyCollection[int], limit: int, min_probability: float
) -> list[Match]:
    texts = registry.get(CatalogueTexts)
    alike, index = texts.cosines(entry.record)
    by_text = [product for product in alike if product not in hidden]
    by_photo = _nearest_by_photo(live, entry.vectors, hidden)
    candidates = Product.objects.filter(active=True).in_bulk({*by_text, *by_photo})
    wanted = [product for product in by_text if product in candidates][:CANDIDATES]
    wanted += [product for product in by_photo if product in candidates and product not in wanted]
    if not wanted:
        return []
    photos = {} if live is None or not len(entry.vectors) else vectors_of_photos(live.version_id, wanted)
    cosines = texts.cosines_of(entry.record, wanted)
    known: dict[int, tuple[float | None, float]] = {
        product: (cosine(entry.vectors, photos.get(product, ())), cosines[product]) for product in wanted
    }
    evidence = evidence_of(known)
    rows = np.stack(
        [features_of(entry.record, record_of(candidates[each]), evidence[each], index.idf) for each in wanted]
    )
    model = coefficients()
    found = [
        _match(product, float(probability), evidence[product], model.contributions(row))
        for product, probability, row in zip(wanted, model.probabilities(rows), rows, strict=True)
        if probability >= min_probability
    ]
    return sorted(found, key=lambda match: (-match.probability, match.product))[:limit]


def _match(product: int, probability: float, evidence: Evidence, reasons: Mapping[str, float]) -> Match:
    return Match(product, probability, evidence.photo, evidence.text, reasons)


def _live() -> LiveCollection | None:
    """None before anything was indexed: matches are found by text alone."""
    try:
        return live_collection(COLLECTION)
    except UnknownCollection:
        return None


def _nearest_by_photo(
    live: LiveCollection | None, vectors: NDArray[np.float32], hidden: AnyCollection[int]
) -> list[int]:
    if live is None or not len(vectors):
        return []
    layout = live.layout
    no_parts = np.zeros((len(vectors), layout.parts_dim), np.float32) if layout.parts else None
    # By shape alone, as the matcher compares: sellers photograph one thing in other lights.
    targets = [layout.query(vector, Weights()) for vector in layout.joined(vectors, no_parts)[:_MAX_ASKED]]
    conditions = Filter(match={"active": True}, exclude={"product_id": sorted(hidden)})
    queries = [
        VectorQuery(positive=(vector,), filter=conditions, limit=CANDIDATES, group_by_product=True)
        for vector in targets
    ]
    try:
        answers = get_vector_index().query_batch(live.index.name, queries)
    except CollectionNotFound:
        return []
    best: dict[int, float] = {}
    for hit in (hit for answer in answers for hit in answer):
        best[hit.product_id] = max(hit.score, best.get(hit.product_id, hit.score))
    return sorted(best, key=lambda product: (-best[product], product))[:CANDIDATES]


def vectors_of_photos(version_id: int, products: Iterable[int]) -> dict[int, list[NDArray[np.float32]]]:
    """Read the vectors of the photos of products that are compared.

    Args:
        version_id: of the encoder version.
        products: their ids.

    Returns:
        Of unit length, by product; those without any are left out.
    """
    found: defaultdict[int, list[NDArray[np.float32]]] = defaultdict(list)
    images = ProductImage.objects.compared().filter(product__in=list(products))
    product_of = dict(images.values_list("pk", "product"))
    rows = ImageEmbedding.objects.filter(version=version_id, image_id__in=product_of, vector__isnull=False)
    rows = rows.exclude(state__in=(_State.PENDING, _State.REMOVED)).order_by("image_id")
    for image_id, stored in rows.values_list("image_id", "vector"):
        vector = vector_from_bytes(stored or b"")
        found[product_of[image_id]].append(vector / np.linalg.norm(vector))
    return found


def cosine(vectors: NDArray[np.float32], others: Sequence[NDArray[np.float32]]) -> float | None:
    """The highest cosine of two photos. vectors: float32 [photos, dim]; None: a side has none."""
    if not len(vectors) or not len(others):
        return None
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float(min((unit @ np.stack(others).T).max(), 1.0))
