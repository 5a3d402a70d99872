"""The port of every vector engine: what a point, a filter and a query are, and what an adapter does."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import CollectionNotFound, IndexMismatch, InvalidFilter, InvalidPayload, InvalidVector

Vector = NDArray[np.float32]
Payload = Mapping[str, Any]
# What a field of PAYLOAD_FIELDS is compared with.
FilterValue = str | int | float | bool | Decimal

MAX_ID = 2**64 - 1
# Of integers in payloads and filters: a server's protocol ends there, and so do the ids of the database.
MAX_INTEGER = 2**63 - 1
_SKETCH_SIZE = 16
COLLECTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
SPARSE_NAME = re.compile(r"[A-Za-z][A-Za-z_]{0,31}")
# Of a collection whose points have none, and of a batch of a scroll.
NO_VECTOR = np.empty(0, dtype=np.float32)


class Distance(StrEnum):
    """How two vectors are compared.

    A score is a similarity: higher is nearer. For `cosine` and `dot` it is the product itself, for `l2` and `l1` the negated
    distance. Users read and write distances for those two; `shown` and `score_of` convert at that edge.
    """

    COSINE = "cosine"
    DOT = "dot"
    L2 = "l2"
    L1 = "l1"

    @property
    def sign(self) -> int:
        """1 where users see the score itself, -1 where they see its negation, the distance."""
        return _SIGNS[self]

    def shown(self, score: float) -> float:
        """A score as users see it: the similarity for cosine and dot, the distance (0 or more) for l2 and l1."""
        return self.sign * score

    def score_of(self, shown: float) -> float:
        """The score of a number that a user wrote, such as a threshold: the inverse of `shown`."""
        return self.sign * shown

    def cosine_of(self, score: float) -> float | None:
        """The cosine of two vectors of unit length with this score; None for l1, which does not determine it."""
        match self:
            case Distance.COSINE | Distance.DOT:
                return score
            case Distance.L2:
                return 1 - score * score / 2
            case Distance.L1:
                return None


_SIGNS = {Distance.COSINE: 1, Distance.DOT: 1, Distance.L2: -1, Distance.L1: -1}


class FieldType(StrEnum):
    """What a payload index holds."""

    KEYWORD = "keyword"
    INTEGER = "integer"  # of 64 bits, with a sign
    FLOAT = "float"
    BOOL = "bool"


# For messages.
_KINDS = {
    FieldType.KEYWORD: "a text",
    FieldType.INTEGER: "an integer of 64 bits with a sign",
    FieldType.FLOAT: "a number",
    FieldType.BOOL: "a boolean",
}

# What a point's payload holds and what can be filtered by. Payload indexes are made before any vector is indexed: an HNSW graph
# that was built first answers filtered queries with next to no recall.
PAYLOAD_FIELDS: Mapping[str, FieldType] = {
    "product_id": FieldType.INTEGER,
    "category": FieldType.KEYWORD,  # the category's slug path and those of all its ancestors
    "brand": FieldType.KEYWORD,
    "price": FieldType.FLOAT,
    "currency": FieldType.KEYWORD,
    "available": FieldType.BOOL,
    "active": FieldType.BOOL,
    "tags": FieldType.KEYWORD,
    "attributes": FieldType.KEYWORD,  # `name=value`, for each value
}


@dataclass(frozen=True, slots=True)
class SparseVector:
    """A vector most of whose entries are 0. Two of them are compared by their product, the sum over the indices that both have.

    Attributes:
        indices: uint32 [n], ascending, each once.
        values: float32 [n], finite.
    """

    indices: NDArray[np.uint32]
    values: NDArray[np.float32]

    @classmethod
    def of(cls, weights: Mapping[int, float]) -> SparseVector:
        """The vector with these entries. weights: by index."""
        indices = sorted(weights)
        return cls(
            np.array(indices, dtype=np.uint32), np.array([weights[index] for index in indices], dtype=np.float32)
        )

    def __len__(self) -> int:
        """How many entries it has."""
        return len(self.indices)


@dataclass(frozen=True, slots=True)
class IndexCollection:
    """A named set of vectors of one encoder version.

    Attributes:
        name: letters, digits, '-', '_' and '.', 128 at most; an adapter may use it as the name of a folder.
        dim: length of each vector, 1 or more; 0 for points that have sparse vectors alone.
        distance: how vectors are compared.
        sparse: names of the sparse vectors that points may have: letters and '_'. The points of a collection with any are products,
            whose ids they have, so that nothing has to be read of a point to know its product.

    Raises:
        ValueError: a name or the dim is no such thing.
    """

    name: str
    dim: int
    distance: Distance = Distance.COSINE
    sparse: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not COLLECTION_NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} cannot name an index collection: use letters, digits, '-', '_' and '.', 128 at most"
            )
        if self.dim < (0 if self.sparse else 1):
            raise ValueError(f"the collection {self.name} needs vectors of at least one dimension, not {self.dim}")
        if unfit := [name for name in self.sparse if not SPARSE_NAME.fullmatch(name)]:
            raise ValueError(f"{unfit[0]!r} cannot name a sparse vector: use letters and '_', 32 at most")

    @property
    def of_products(self) -> bool:
        """Whether each point is a product, with its id; or else a photo."""
        return bool(self.sparse)


@dataclass(frozen=True, slots=True)
class Point:
    """One product image, or one product's text.

    Attributes:
        id: the image's id, or the product's, unsigned 64 bit.
        vector: float32 [dim]. A collection compared by cosine stores and returns it with unit length.
        payload: PAYLOAD_FIELDS, of which `product_id` is required. Other fields are stored too, and cannot be filtered by.
        sparse: vectors by the names that the collection has; it need not have each.
    """

    id: int
    vector: Vector
    payload: Payload
    sparse: Mapping[str, SparseVector] = field(default_factory=dict)


class Hit(NamedTuple):
    """One answer of a query. A tuple, which is made in a third of the time of a frozen dataclass.

    Attributes:
        id: of the point.
        product_id: of its payload.
        score: higher is nearer (see Distance).
        vector: given only where the query asked for it.
        sketch: of the vector (see `sketch_of`), where the engine has it at hand.
        example: position of the query that found it, where several photos of one thing are looked for.
    """

    id: int
    product_id: int
    score: float
    vector: Vector | None = None
    sketch: bytes | None = None
    example: int = 0


@dataclass(frozen=True, slots=True)
class Range:
    """A closed interval; None leaves that side open.

    Raises:
        InvalidFilter: an end is NaN, or the interval is empty.
    """

    gte: float | None = None
    lte: float | None = None

    def __post_init__(self) -> None:
        if any(end is not None and math.isnan(end) for end in (self.gte, self.lte)):
            raise InvalidFilter("a range cannot begin or end at NaN")
        if self.gte is not None and self.lte is not None and self.gte > self.lte:
            raise InvalidFilter(f"a range from {self.gte} to {self.lte} is empty")


@dataclass(frozen=True, slots=True)
class Filter:
    """Conditions that all must hold. Keys are fields of PAYLOAD_FIELDS.

    A list-valued payload matches a value when it contains it.

    Attributes:
        match: field -> the value that it holds.
        match_any: field -> values, one of which it holds. Without values nothing matches.
        match_each: field -> lists of values, of each of which it holds one. A list without values matches nothing.
        exclude: field -> values, none of which it holds.
        ranges: field -> Range, for numeric fields.
        exclude_ids: points that are never returned; ids that no point has are ignored.

    Raises:
        InvalidFilter: a field is unknown, or never holds such a value.
    """

    match: Mapping[str, FilterValue] = field(default_factory=dict)
    match_any: Mapping[str, Sequence[FilterValue]] = field(default_factory=dict)
    match_each: Mapping[str, Sequence[Sequence[FilterValue]]] = field(default_factory=dict)
    exclude: Mapping[str, Sequence[FilterValue]] = field(default_factory=dict)
    ranges: Mapping[str, Range] = field(default_factory=dict)
    exclude_ids: AnyCollection[int] = ()

    def __post_init__(self) -> None:
        named = {*self.match, *self.match_any, *self.match_each, *self.exclude, *self.ranges}
        if unknown := named - PAYLOAD_FIELDS.keys():
            raise InvalidFilter(
                f"cannot filter by {', '.join(sorted(unknown))}; the index knows {', '.join(sorted(PAYLOAD_FIELDS))}"
            )
        wanted = [*self.match.items()]
        for lists in (self.match_any, self.exclude):
            wanted += [(name, value) for name, values in lists.items() for value in values]
        wanted += [(name, value) for name, lists in self.match_each.items() for values in lists for value in values]
        for name, value in wanted:
            if not _fits(value, PAYLOAD_FIELDS[name]):
                raise InvalidFilter(f"{name} holds {_KINDS[PAYLOAD_FIELDS[name]]}, so it never matches {value!r}")
        for name in self.ranges:
            if PAYLOAD_FIELDS[name] not in (FieldType.INTEGER, FieldType.FLOAT):
                raise InvalidFilter(f"{name} holds {_KINDS[PAYLOAD_FIELDS[name]]}, which has no range")


UNFILTERED = Filter()


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """What to look for.

    Attributes:
        positive: float32 [dim] each. Several are averaged after L2 normalisation.
        negative: float32 [dim] each; they push away: target = avg(pos) + (avg(pos) - avg(neg)), Qdrant's average-vector
            recommendation.
        positive_ids, negative_ids: points of the collection, used as examples in the same way. They are never in the answer;
            ids that no point has are ignored.
        filter: which points may be returned.
        limit: the most hits, or, grouped, the most products; 1 or more.
        group_by_product: return only the best hit of each product.
        min_score: lowest score still returned; see Distance.
        with_vectors: whether each hit carries its vector.
        breadth: how many times as wide as usual a graph is searched, 1 or more: for a target that no point is like.

    Raises:
        InvalidFilter: the limit is below 1.
    """

    positive: Sequence[Vector] = ()
    negative: Sequence[Vector] = ()
    positive_ids: Sequence[int] = ()
    negative_ids: Sequence[int] = ()
    filter: Filter = UNFILTERED
    limit: int = 10
    group_by_product: bool = False
    min_score: float | None = None
    with_vectors: bool = False
    breadth: int = 1

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise InvalidFilter(f"a query has to ask for at least one hit, not {self.limit}")


@dataclass(frozen=True, slots=True)
class SparseQuery:
    """What to look for by a sparse vector.

    Attributes:
        using: name of the sparse vector that is compared.
        vector: what it is compared with; one without entries finds nothing.
        filter: which points may be returned.
        limit: the most hits; 1 or more.

    Raises:
        InvalidFilter: the limit is below 1.
    """

    using: str
    vector: SparseVector
    filter: Filter = UNFILTERED
    limit: int = 10

    def __post_init__(self) -> None:
        if self.limit < 1:
            raise InvalidFilter(f"a query has to ask for at least one hit, not {self.limit}")


@dataclass(frozen=True, slots=True)
class Copies:
    """The copies of a collection's shards on the nodes of a server.

    Attributes:
        shards: number of shards.
        copies: number of copies of all shards together.
        dead: copies that are not up to date, and not being brought up to date.
        missing: shards without an active copy, whose points no answer has.
        transfers: copies that are being brought up to date.
    """

    shards: int
    copies: int
    dead: int
    missing: int
    transfers: int


class VectorIndex(Protocol):
    """Collections of points. `name` is always the name of an index collection; ids are image ids (unsigned 64 bit).

    Every method may raise IndexUnavailable. All but `claim`, `ensure`, `exists`, `drop` and `close` raise CollectionNotFound for an
    unknown name. Ids that no point has are ignored.
    """

    def claim(self) -> None:
        """Become the one process that writes to the live collections, until it ends or closes all of them.

        Nothing happens where the engine allows several such processes, or when it is called again. A new collection is filled
        without a claim.

        Raises:
            IndexLocked: another process has the claim.
        """

    def ensure(self, collection: IndexCollection, *, bulk_load: bool = False) -> None:
        """Make the collection and its payload indexes unless it exists.

        Args:
            collection: its name, dim and distance.
            bulk_load: this process alone fills the new collection, nobody queries it before `optimise` was called, and it is made
                again after a crash. So the engine may leave out its graph until then.

        Raises:
            IndexMismatch: it exists with another dim, distance or other sparse vectors.
        """

    def exists(self, name: str) -> bool:
        """Whether the collection exists."""

    def missing_fields(self, name: str) -> frozenset[str]:
        """The fields of PAYLOAD_FIELDS that the collection cannot be filtered by: they were added after its points.

        It has to be rebuilt: points lack these fields, and payload indexes that come after the graph find next to nothing.
        """

    def revision(self, name: str) -> int | None:
        """What stands for the vectors and products of all points, as long as this process has them; it changes with any of them.

        None where other processes may write to the collection. A price or stock changes nothing.
        """

    def copies(self, name: str) -> Copies | None:
        """The copies of the collection's shards, as one node sees them; None where the engine is in a process of ours."""

    def drop(self, name: str) -> None:
        """Remove the collection and its files, if it exists."""

    def upsert(self, name: str, points: Iterable[Point]) -> None:
        """Write points, replacing those with the same id whole.

        Args:
            name: of the collection.
            points: of two with one id the later counts.

        Raises:
            InvalidVector: a vector cannot be stored; no point is written.
            InvalidPayload: a payload or an id cannot be stored; no point is written.
        """

    def set_payload(self, name: str, ids: Sequence[int], payload: Payload) -> None:
        """Merge fields into the payloads of points.

        Args:
            name: of the collection.
            ids: of the points.
            payload: the fields to overwrite.

        Raises:
            InvalidPayload: a value cannot be stored; no point is written.
        """

    def delete(self, name: str, ids: Sequence[int]) -> None:
        """Remove points."""

    def retrieve(self, name: str, ids: Sequence[int]) -> dict[int, Point]:
        """The points of these ids by id, with vector and payload."""

    def query(self, name: str, query: VectorQuery) -> list[Hit]:
        """The hits of a query.

        Args:
            name: of the collection.
            query: what to look for.

        Returns:
            `query.limit` hits at most, the highest score first, equal scores by ascending product id (then id), also where the
            limit cuts through them.

        Raises:
            InvalidVector: a vector has another length than the collection's, the query has no positive example, or its examples
                cancel out.
        """

    def query_batch(self, name: str, queries: Sequence[VectorQuery]) -> list[list[Hit]]:
        """The hits of several queries, asked together: faster than one after the other.

        Args:
            name: of the collection.
            queries: what to look for.

        Returns:
            What `query` returns, for each.

        Raises:
            InvalidVector: as `query`, for any of them.
        """

    def query_sparse(self, name: str, query: SparseQuery) -> list[Hit]:
        """The points that share an entry with a sparse vector.

        Args:
            name: of the collection.
            query: what to look for.

        Returns:
            `query.limit` hits at most, the highest product first, equal ones by ascending product id (then id), also where the
            limit cuts through them. Scores are without a frequency of the engine's own: the product of the two vectors.

        Raises:
            InvalidVector: the collection has no such sparse vector, or the vector is none.
        """

    def count(self, name: str, filter: Filter | None = None) -> int:
        """How many points match; None: how many there are."""

    def scroll(self, name: str, *, batch_size: int = 1000, after: int = -1) -> Iterator[list[Point]]:
        """All points by ascending id, without their vectors.

        Args:
            name: of the collection.
            batch_size: the most points of a batch.
            after: begin behind this id.

        Returns:
            Batches of points, each with a vector of shape [0]; none for an empty collection.
        """

    def optimise(self, name: str) -> None:
        """Build the graph (HNSW) that makes queries fast. Blocks until it is done: not for a process that serves."""

    def close(self, name: str | None = None) -> None:
        """Close the files or connections of one collection, or of all; the next call opens them again."""


def check_same(stands: IndexCollection, wanted: IndexCollection) -> None:
    """Compare a collection that exists with the one that is wanted.

    Args:
        stands: as it exists.
        wanted: as the encoder version needs it.

    Raises:
        IndexMismatch: they differ in dim, distance or sparse vectors.
    """
    if {*stands.sparse} != {*wanted.sparse}:
        raise IndexMismatch(
            f"the index {wanted.name} stands with the sparse vectors {', '.join(sorted(stands.sparse)) or 'none'}, "
            f"but {', '.join(sorted(wanted.sparse)) or 'none'} are wanted: it has to be rebuilt"
        )
    if (stands.dim, stands.distance) != (wanted.dim, wanted.distance):
        raise IndexMismatch(
            f"the index {wanted.name} stands with {stands.dim} dimensions compared by {stands.distance}, "
            f"but {wanted.dim} by {wanted.distance} are wanted: it is not this encoder version's"
        )


def not_found(name: str) -> CollectionNotFound:
    """The error for a collection that does not exist."""
    return CollectionNotFound(f"there is no index {name!r}: nothing was indexed yet")


def checked_vectors(vectors: Sequence[Vector], dim: int) -> NDArray[np.float32]:
    """Vectors as a matrix, checked: engines store NaN and all-zero vectors without an error.

    Args:
        vectors: of any number type.
        dim: the length that each has to have.

    Returns:
        float32 [n, dim].

    Raises:
        InvalidVector: a vector has another shape, an entry that is not finite, or no direction.
    """
    for vector in vectors:
        if np.shape(vector) != (dim,):
            raise InvalidVector(f"a vector of shape {np.shape(vector)} does not fit a collection of {dim} dimensions")
    if not dim:
        return np.empty((len(vectors), 0), dtype=np.float32)
    with np.errstate(over="ignore", under="ignore"):
        matrix = np.asarray(vectors, dtype=np.float32).reshape(len(vectors), dim)
        # As numpy.linalg.norm, which takes longer for a single vector.
        lengths = np.sqrt(np.add.reduce(matrix * matrix, axis=1))
    if (lengths > 0).all() and np.isfinite(lengths).all():
        return matrix
    if not np.isfinite(matrix).all():
        raise InvalidVector("a vector has a NaN or infinite entry")
    if not (lengths > 0).all():
        raise InvalidVector("a vector is all zeros (or next to it), so it has no direction")
    raise InvalidVector("a vector is too long for float32 to hold its length")


def checked_points(points: Iterable[Point], collection: IndexCollection) -> list[Point]:
    """Points as they are stored.

    Args:
        points: of two with one id the later counts.
        collection: where they are stored.

    Returns:
        One point for each id, with a float32 vector (unit length for cosine) and JSON values in the payload.

    Raises:
        InvalidVector: a vector cannot be stored.
        InvalidPayload: a payload or an id cannot be stored.
    """
    latest = {point.id: point for point in points}
    vectors = checked_vectors([point.vector for point in latest.values()], collection.dim)
    matrix = comparable(vectors, collection.distance)
    checked = []
    for point, vector in zip(latest.values(), matrix, strict=True):
        if not 0 <= point.id <= MAX_ID:
            raise InvalidPayload(f"the id {point.id} is not an unsigned number of 64 bits")
        if point.payload.get("product_id") is None:
            raise InvalidPayload(f"the point {point.id} has no product_id")
        if collection.of_products and point.payload["product_id"] != point.id:
            raise InvalidPayload(f"the point {point.id} of {collection.name} has another id than its product")
        sparse = {name: checked_sparse(each, name, collection) for name, each in point.sparse.items() if len(each)}
        checked.append(Point(operator.index(point.id), vector, stored_payload(point.payload), sparse))
    return checked


def checked_sparse(vector: SparseVector, name: str, collection: IndexCollection) -> SparseVector:
    """A sparse vector, checked: engines answer with anything where indices occur twice.

    Args:
        vector: what is stored or looked for.
        name: of the sparse vector.
        collection: where it is stored.

    Returns:
        The same.

    Raises:
        InvalidVector: the collection has no such sparse vector, or the vector is none.
    """
    if name not in collection.sparse:
        raise InvalidVector(
            f"the index {collection.name} has no sparse vector {name!r}; it has {', '.join(sorted(collection.sparse)) or 'none'}"
        )
    indices, values = vector.indices, vector.values
    if indices.dtype != np.uint32 or indices.shape != values.shape or indices.ndim != 1:
        raise InvalidVector(f"the sparse vector {name} has to have as many values as indices, which are uint32")
    if (indices[1:] <= indices[:-1]).any():
        raise InvalidVector(f"the sparse vector {name} has to have ascending indices, each once")
    if not np.isfinite(values).all():
        raise InvalidVector(f"the sparse vector {name} has a NaN or infinite entry")
    return vector


def sparse_product(left: SparseVector, right: SparseVector) -> float:
    """The product of two sparse vectors, as every adapter scores them."""
    _, ours, theirs = np.intersect1d(left.indices, right.indices, assume_unique=True, return_indices=True)
    return float(np.dot(left.values[ours], right.values[theirs]))


def comparable(matrix: NDArray[np.float32], distance: Distance) -> NDArray[np.float32]:
    """Vectors as they are compared. Engines scale too, but leave very short vectors as they are and then score them wrong.

    Args:
        matrix: float32 [n, dim].
        distance: how vectors are compared.

    Returns:
        float32 [n, dim]: of unit length for cosine, else the same.
    """
    if distance is not Distance.COSINE or not matrix.shape[1]:
        return matrix
    unit: NDArray[np.float32] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit


def stored_payload(payload: Payload) -> dict[str, Any]:
    """A payload as it is stored.

    Args:
        payload: fields of PAYLOAD_FIELDS and others.

    Returns:
        The same, each field of PAYLOAD_FIELDS in the type of its index (a Decimal price as a float).

    Raises:
        InvalidPayload: a field holds a value that its index cannot hold.
    """
    stored = dict(payload)
    for name, field_type in PAYLOAD_FIELDS.items():
        value = stored.get(name)
        if value is None:
            continue
        many = isinstance(value, (list, tuple, set, frozenset))
        values = list(value) if many else [value]
        if wrong := [each for each in values if not _fits(each, field_type)]:
            raise InvalidPayload(f"{name} holds {_KINDS[field_type]}, which {wrong[0]!r} is not")
        if field_type is FieldType.FLOAT:
            values = [float(each) for each in values]
        stored[name] = values if many else values[0]
    return stored


def sketch_of(vector: Vector) -> bytes:
    """A few numbers that show which vectors are far apart, without reading them.

    Args:
        vector: float32 [dim].

    Returns:
        The bytes of float32 [16 at most], the projection onto orthonormal vectors: two sketches are never farther apart than their
        vectors.
    """
    return sketches_of(vector[None])[0]


def sketches_of(vectors: NDArray[np.float32]) -> list[bytes]:
    """The sketches of several vectors at once.

    Args:
        vectors: float32 [n, dim].

    Returns:
        As `sketch_of`.
    """
    starts, lengths = _sketched(vectors.shape[1])
    sketches = (np.add.reduceat(vectors, starts, axis=1) / lengths).astype(np.float32)
    return [sketch.tobytes() for sketch in sketches]


@lru_cache(maxsize=16)
def _sketched(dim: int) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Where the pieces of a vector begin that a sketch adds up, and the square roots of their lengths."""
    starts = np.unique(np.linspace(0, dim, _SKETCH_SIZE, endpoint=False, dtype=int))
    return starts, np.sqrt(np.diff([*starts, dim]))


def possible_ids(ids: Iterable[int]) -> list[int]:
    """Those of the ids that a point can have, as plain ints; engines fail on others."""
    return [operator.index(each) for each in ids if 0 <= each <= MAX_ID]


def query_target(query: VectorQuery, examples: Mapping[int, Point], collection: IndexCollection) -> Vector:
    """The one vector that a query looks for.

    Args:
        query: its examples.
        examples: the points that `positive_ids` and `negative_ids` name, by id.
        collection: what is queried.

    Returns:
        float32 [dim]; of unit length for cosine.

    Raises:
        InvalidVector: there is no positive example, or the examples cancel out.
    """
    if (alone := _one_vector(query, collection)) is not None:
        return alone
    if query.positive_ids and not query.positive and not any(each in examples for each in query.positive_ids):
        raise InvalidVector(f"none of the example points {list(query.positive_ids)} is in the index {collection.name}")
    positive = [*query.positive, *(examples[each].vector for each in query.positive_ids if each in examples)]
    negative = [*query.negative, *(examples[each].vector for each in query.negative_ids if each in examples)]
    target = target_vector(positive, negative, collection.dim)
    if collection.distance is not Distance.COSINE:
        return target
    direction: Vector = target / np.float32(math.sqrt(np.dot(target, target)))
    return direction


def _one_vector(query: VectorQuery, collection: IndexCollection) -> Vector | None:
    """What a query with one example and nothing else looks for: checked at once. None for another, and for one with an error."""
    if len(query.positive) != 1 or query.negative or query.positive_ids or query.negative_ids:
        return None
    vector: Any = query.positive[0]
    if np.shape(vector) != (collection.dim,) or getattr(vector, "dtype", None) != np.float32:
        return None
    with np.errstate(over="ignore", under="ignore"):
        square = float(np.dot(vector, vector))
    if not 0 < square < math.inf:
        return None
    target: Vector = vector / np.float32(math.sqrt(square)) if collection.distance is Distance.COSINE else vector
    return target


def best_first(hits: Iterable[Hit]) -> list[Hit]:
    """Hits from the nearest to the farthest, equal scores by ascending product id, then id."""
    return sorted(hits, key=lambda hit: (-hit.score, hit.product_id, hit.id))


def best_of_products(ranked: Iterable[Hit]) -> list[Hit]:
    """The first hit of each product, order kept."""
    best: dict[int, Hit] = {}
    for hit in ranked:
        best.setdefault(hit.product_id, hit)
    return list(best.values())


def near_enough(score: float, min_score: float | None) -> bool:
    """Whether a hit of this score may be returned. min_score: the lowest allowed score; None allows every score."""
    return min_score is None or score >= min_score


def similarities(vectors: NDArray[np.float32], target: Vector, distance: Distance) -> NDArray[np.float32]:
    """Scores of vectors against one, as every adapter returns them.

    Args:
        vectors: float32 [n, dim]; of unit length where the distance is cosine.
        target: float32 [dim]; the same.
        distance: how they are compared.

    Returns:
        float32 [n]; higher is nearer.
    """
    match distance:
        case Distance.COSINE | Distance.DOT:
            scores = vectors @ target
        case Distance.L2:
            scores = -np.linalg.norm(vectors - target, axis=1)
        case Distance.L1:
            scores = -np.abs(vectors - target).sum(axis=1)
    return np.asarray(scores, dtype=np.float32)


def similarities_of_all(
    vectors: NDArray[np.float32], targets: NDArray[np.float32], distance: Distance
) -> NDArray[np.float32]:
    """Scores of a few vectors against each of several. For requests: it never waits for another core, as BLAS does.

    Args:
        vectors: float32 [n, dim]; of unit length where the distance is cosine.
        targets: float32 [m, dim]; the same.
        distance: how they are compared.

    Returns:
        float32 [m, n]; higher is nearer.
    """
    if distance in (Distance.COSINE, Distance.DOT):
        return np.asarray(np.einsum("ij,kj->ik", targets, vectors), dtype=np.float32)
    return np.stack([similarities(vectors, target, distance) for target in targets])


def target_vector(positive: Sequence[Vector], negative: Sequence[Vector], dim: int) -> Vector:
    """The one vector that examples ask for (see VectorQuery). One positive example alone passes through unchanged.

    Args:
        positive: float32 [dim] each, one at least.
        negative: float32 [dim] each.
        dim: their length.

    Returns:
        float32 [dim].

    Raises:
        InvalidVector: there is no positive example, or the examples cancel out.
    """
    if not positive:
        raise InvalidVector("a query needs at least one positive example")
    likes = checked_vectors(positive, dim)
    if len(likes) == 1 and not negative:
        alone: Vector = likes[0]
        return alone
    liked = _mean_direction(likes)
    if negative:
        liked = 2 * liked - _mean_direction(checked_vectors(negative, dim))
    target: Vector = checked_vectors([liked], dim)[0]
    return target


def _mean_direction(vectors: NDArray[np.float32]) -> Vector:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    mean: Vector = (vectors / lengths).mean(axis=0)
    return mean


def _fits(value: Any, field_type: FieldType) -> bool:
    if field_type is FieldType.KEYWORD:
        return isinstance(value, str)
    if field_type is FieldType.BOOL:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if field_type is FieldType.INTEGER:
        return isinstance(value, int) and -MAX_INTEGER - 1 <= value <= MAX_INTEGER
    return isinstance(value, (int, float, Decimal)) and math.isfinite(value)
