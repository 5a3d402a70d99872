"""Reads of every recommendation, in hand-written SQL: building a query by the ORM takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from catalog.kept import Kept
from catalog.models import Product, ProductImage
from catalog.statements import fetched, marks
from embeddings.models import ImageEmbedding
from embeddings.parts.layout import Layout
from embeddings.selectors import LiveCollection
from embeddings.stored_vectors import joined_vectors
from embeddings.vector_index.base import Vector
from jobs.process import process

# Gives vectors by photo, of those that are embedded.
ReadVectors = Callable[[Collection[int]], Mapping[int, Vector]]

_IDS_A_STATEMENT = 500
# One for all products.
_NOTHING: frozenset[int] = frozenset()

_NAMES = {
    "product": Product._meta.db_table,
    "image": ProductImage._meta.db_table,
    "embedding": ImageEmbedding._meta.db_table,
    # The vector of a row in these states is of a photo that was replaced or removed.
    "unusable_states": ", ".join(
        f"'{state}'" for state in (ImageEmbedding.State.PENDING, ImageEmbedding.State.REMOVED)
    ),
    "compared": ", ".join(f"'{role}'" for role in ProductImage.COMPARED),
}
# Not a join: SQLite would start from all vectors of the version.
_VECTORS_SQL = """
    SELECT image_id, vector, parts FROM {embedding}
    WHERE version_id = %s AND image_id IN (SELECT id FROM {image} WHERE product_id = %s)
    AND vector IS NOT NULL AND state NOT IN ({unusable_states})
""".format(**_NAMES)
_VECTORS_OF_PRODUCTS_SQL = """
    SELECT image_id, vector, parts, (SELECT product_id FROM {image} WHERE id = image_id) FROM {embedding}
    WHERE version_id = %s AND vector IS NOT NULL AND state NOT IN ({unusable_states})
    AND image_id IN (SELECT id FROM {image} WHERE product_id IN
""".format(**_NAMES)
_VECTORS_OF_IMAGES_SQL = """
    SELECT image_id, vector, parts FROM {embedding} WHERE version_id = %s AND vector IS NOT NULL AND image_id IN
""".format(**_NAMES)
_EXCLUDED_SQL = """
    SELECT other.product_id AS id FROM {image} other WHERE other.sha256 = (
        SELECT own.sha256 FROM {image} own WHERE own.product_id = %s AND own.role IN ({compared})
        ORDER BY own.position, own.id LIMIT 1
    ) AND other.role IN ({compared}) AND NOT EXISTS (
        SELECT 1 FROM {image} earlier WHERE earlier.product_id = other.product_id AND earlier.role IN ({compared})
        AND (earlier.position < other.position OR (earlier.position = other.position AND earlier.id < other.id))
    )
    UNION SELECT main.variant_of_id FROM {product} main WHERE main.id = %s AND main.variant_of_id IS NOT NULL
    UNION SELECT variant.id FROM {product} variant
    WHERE variant.variant_of_id = (SELECT COALESCE(own.variant_of_id, own.id) FROM {product} own WHERE own.id = %s)
    AND variant.id <> %s
""".format(**_NAMES)
# Both at once, each with the product that it is for and what it is.
_BESIDE_SQL = f"""
    SELECT CAST(%s AS BIGINT), "both".* FROM (
        SELECT id, NULL, NULL, 1 FROM ({_EXCLUDED_SQL}) excluded
        UNION ALL SELECT image_id, vector, parts, 0 FROM ({_VECTORS_SQL}) vectors
    ) AS "both"
"""


def vectors_of(live: LiveCollection, product_id: int) -> dict[int, Vector]:
    """Read the vectors of a product's embedded photos.

    Args:
        live: the collection with the encoder version.
        product_id: the product.

    Returns:
        float32 [live.layout.dim] by photo, as the index has them, of those that are embedded.
    """
    return _vectors(live.layout, fetched(_VECTORS_SQL, [live.version_id, product_id]))


def vectors_of_products(live: LiveCollection, product_ids: Collection[int]) -> dict[int, dict[int, Vector]]:
    """Read the vectors of the embedded photos of products in one statement.

    Args:
        live: the collection with the encoder version.
        product_ids: the products; few.

    Returns:
        By product, as `vectors_of`; products without any have no entry.
    """
    if not product_ids:
        return {}
    rows = fetched(f"{_VECTORS_OF_PRODUCTS_SQL} {marks(len(product_ids))})", [live.version_id, *product_ids])
    vectors = _vectors(live.layout, [(image_id, vector, parts) for image_id, vector, parts, _ in rows])
    found: dict[int, dict[int, Vector]] = {}
    for image_id, _, _, product_id in rows:
        found.setdefault(product_id, {})[image_id] = vectors[image_id]
    return found


def vectors_of_images(live: LiveCollection, image_ids: Collection[int]) -> dict[int, Vector]:
    """Read the vectors of photos.

    Args:
        live: the collection with the encoder version.
        image_ids: the photos; one at least.

    Returns:
        float32 [live.layout.dim] by photo, as the index has them, of those that are embedded.
    """
    vectors: dict[int, Vector] = {}
    ids = [*image_ids]
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        some = ids[start : start + _IDS_A_STATEMENT]
        rows = fetched(f"{_VECTORS_OF_IMAGES_SQL} {marks(len(some))}", [live.version_id, *some])
        vectors |= _vectors(live.layout, rows)
    return vectors


class VectorReader:
    """Reads the vectors of photos, each once."""

    def __init__(self, live: LiveCollection) -> None:
        self._live = live
        self._read: dict[int, Vector] = {}

    def __call__(self, image_ids: Collection[int]) -> Mapping[int, Vector]:
        """Vectors by photo, of these among others."""
        if unread := [each for each in image_ids if each not in self._read]:
            self._read |= vectors_of_images(self._live, unread)
        return self._read


# Id, vector and parts of an embedded photo, as they are stored.
_Row = tuple[int, bytes, bytes | None]


class _KnownStart(NamedTuple):
    """A start without its vectors, as it is kept."""

    photos: int
    excluded: frozenset[int]


class Start:
    """What a query beside a product starts from.

    Attributes:
        product_id: the product.
        photos: stands for the product's embedded photos: where it is equal, their vectors are; 0 without any.
        excluded: ids of the products that are never recommended beside it, without its own.
    """

    __slots__ = ("_live", "_rows", "_vectors", "excluded", "photos", "product_id")

    def __init__(self, live: LiveCollection, product_id: int, known: _KnownStart, rows: Sequence[_Row] | None) -> None:
        """What was read. rows: of its photos; None: they are read when vectors are asked for."""
        self._live, self._rows, self.product_id = live, rows, product_id
        self.photos, self.excluded = known
        self._vectors: Mapping[int, Vector] | None = None

    @property
    def vectors(self) -> Mapping[int, Vector]:
        """As `vectors_of`; made when they are first asked for, since neighbours that are known need none.

        They are of this moment, so that there may be none where a photo was removed since.
        """
        if self._vectors is None:
            if self._rows is None:
                read_vectors(self._live, [self])
            else:
                self._vectors = _vectors(self._live.layout, self._rows)
        return self._vectors or {}

    @property
    def is_read(self) -> bool:
        """Whether its vectors need not be read."""
        return self._rows is not None or self._vectors is not None

    def take(self, vectors: Mapping[int, Vector]) -> None:
        """Take the vectors, which were read with those of others."""
        self._vectors = vectors


def read_vectors(live: LiveCollection, starts: Iterable[Start]) -> None:
    """Read the vectors of all that have none yet, in one statement.

    Args:
        live: the collection.
        starts: few.
    """
    unread = {start.product_id: start for start in starts if not start.is_read}
    found = vectors_of_products(live, unread)
    for product_id, start in unread.items():
        start.take(found.get(product_id, {}))


class _KeptStarts(Kept[tuple[int, Layout, int], _KnownStart]):
    """By encoder version, layout and product, in some 40 MB."""

    most = 100_000

    def size(self, value: _KnownStart) -> int:
        """What is hidden beside a product counts as well."""
        return 1 + len(value.excluded)

    def is_small(self, value: _KnownStart) -> bool:
        """Whether it leaves room for others."""
        return self.size(value) <= self.most // 400


def beside(live: LiveCollection, product_id: int, stamp: int | None = None) -> Start:
    """Read what a query beside a product starts from; see `beside_each`."""
    return beside_each(live, [product_id], stamp)[product_id]


def beside_each(live: LiveCollection, product_ids: Sequence[int], stamp: int | None = None) -> dict[int, Start]:
    """Read, in one statement, what queries beside products start from: their vectors, and what is never recommended beside them.

    That is products with the same file as main photo, the first of those that are compared, and the family of variants.

    Args:
        live: the collection with the encoder version.
        product_ids: the products.
        stamp: of the catalogue, read before; what was read since, but vectors, is not read again. None: all is read.

    Returns:
        By product.
    """
    version = (live.version_id, live.layout)
    rows: dict[int, list[_Row]] = {}

    def read(missing: Sequence[tuple[int, Layout, int]]) -> dict[tuple[int, Layout, int], _KnownStart]:
        known, fresh = _read_starts(live, [key[2] for key in missing])
        rows.update(fresh)
        return {(*version, each): start for each, start in known.items()}

    starts = process.get(_KeptStarts).get_each(stamp, [(*version, each) for each in product_ids], read)
    return {each: Start(live, each, known, rows.get(each)) for (*_, each), known in starts.items()}


def _read_starts(
    live: LiveCollection, product_ids: Sequence[int]
) -> tuple[dict[int, _KnownStart], dict[int, list[_Row]]]:
    excluded: dict[int, set[int]] = {each: set() for each in product_ids}
    rows: dict[int, list[_Row]] = {each: [] for each in product_ids}
    params = [param for each in product_ids for param in (each, *[each] * 4, live.version_id, each)]
    for product_id, key, vector, parts, is_excluded in fetched(_beside_sql(len(product_ids)), params):
        if is_excluded:
            excluded[product_id].add(key)
        else:
            rows[product_id].append((key, vector, parts))
    known = {
        each: _KnownStart(hash(tuple(rows[each])) if rows[each] else 0, frozenset(excluded[each] - {each}) or _NOTHING)
        for each in product_ids
    }
    return known, rows


@lru_cache(maxsize=32)
def _beside_sql(number: int) -> str:
    """The statement for so many products."""
    return " UNION ALL ".join([_BESIDE_SQL] * number)


def _vectors(layout: Layout, rows: Sequence[_Row]) -> dict[int, Vector]:
    if not rows:
        return {}
    matrix = joined_vectors(layout, [(vector, parts) for _, vector, parts in rows])
    matrix.setflags(write=False)
    return {image_id: vector for (image_id, _, _), vector in zip(rows, matrix, strict=True)}
