"""The port of every vector engine: what a point, a filter and a query are, and what an adapter does."""

from __future__ import annotations

import math
import re
from collections.abc import Collection as AnyCollection
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import InvalidFilter

Vector = NDArray[np.float32]
Payload = Mapping[str, Any]
# What a field of PAYLOAD_FIELDS is compared with.
FilterValue = str | int | float | bool | Decimal

MAX_ID = 2**64 - 1
# Of integers in payloads and filters: a server's protocol ends there, and so do the ids of the database.
MAX_INTEGER = 2**63 - 1
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

    @property
    def described(self) -> str:
        """What it holds, in messages."""
        match self:
            case FieldType.KEYWORD:
                return "a text"
            case FieldType.INTEGER:
                return "an integer of 64 bits with a sign"
            case FieldType.FLOAT:
                return "a number"
            case FieldType.BOOL:
                return "a boolean"

    def holds(self, value: Any) -> bool:
        """Whether a value can be stored and filtered by."""
        match self:
            case FieldType.KEYWORD:
                return isinstance(value, str)
            case FieldType.BOOL:
                return isinstance(value, bool)
            case FieldType.INTEGER:
                is_integer = isinstance(value, int) and not isinstance(value, bool)
                return is_integer and -MAX_INTEGER - 1 <= value <= MAX_INTEGER
            case FieldType.FLOAT:
                is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
                return is_number and math.isfinite(value)


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
        indices = np.fromiter(weights, np.uint32, len(weights))
        values = np.fromiter(weights.values(), np.float32, len(weights))
        order = indices.argsort()
        return cls(indices[order], values[order])

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
        sketch: of the vector (see `scoring.sketch_of`), where the engine has it at hand.
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
            if not PAYLOAD_FIELDS[name].holds(value):
                raise InvalidFilter(f"{name} holds {PAYLOAD_FIELDS[name].described}, so it never matches {value!r}")
        for name in self.ranges:
            if PAYLOAD_FIELDS[name] not in (FieldType.INTEGER, FieldType.FLOAT):
                raise InvalidFilter(f"{name} holds {PAYLOAD_FIELDS[name].described}, which has no range")


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
