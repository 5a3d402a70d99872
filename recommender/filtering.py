"""The filtering stage: the conditions of a request for the vector index, one product of each family and of each picture."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from catalog.cards import ProductCard
from catalog.filters import Condition, Lookup, ProductFilter
from catalog.json_conditions import attribute_term
from embeddings.vector_index.base import Distance, Filter, Hit, Range
from recommender.selectors import ReadVectors

# Photos whose vectors have this cosine show the same picture: the same bytes, or re-saved.
SAME_PICTURE_COSINE = 0.999
# For vectors of unit length the same as the cosine: the square of how far apart they are, with the error of float32.
_SAME_PICTURE_SQUARE = 2 * (1 - SAME_PICTURE_COSINE) + 1e-6
# Two such vectors differ by no more than this angle, and so do their angles to any query. In radians, with the error of float32.
_SAME_PICTURE_ANGLE = math.acos(SAME_PICTURE_COSINE) + 1e-3
_COMPARED_AT_ONCE = 256


def to_index_filter(
    product_filter: ProductFilter,
    excluded_ids: Collection[int],
    missing: Collection[str] = (),
    *,
    further: Sequence[ProductFilter] = (),
) -> Filter:
    """Translate a product filter for the vector index.

    Args:
        product_filter: each condition's field has to be one of PAYLOAD_FIELDS.
        excluded_ids: ids of products that are never returned.
        missing: fields that the index lacks; conditions on them are left out.
        further: filters that have to be met as well.

    Returns:
        The other conditions, of which inactive products meet none.
    """
    parts = _Parts()
    if "active" not in missing:
        parts.match["active"] = True
    if excluded_ids:
        parts.exclude["product_id"] = {*excluded_ids}
    for each in (product_filter, *further):
        for condition, value in each.conditions():
            if condition.field not in missing:
                parts.add(condition, value)
    return parts.filter()


@dataclass(slots=True)
class _Parts:
    """The arguments of a Filter."""

    match: dict[str, Any] = field(default_factory=dict)
    match_any: dict[str, list[Any]] = field(default_factory=dict)
    match_each: dict[str, list[list[Any]]] = field(default_factory=dict)
    exclude: dict[str, set[Any]] = field(default_factory=dict)
    bounds: dict[str, dict[str, float]] = field(default_factory=dict)

    def add(self, condition: Condition, value: Any) -> None:
        """Add a condition of a product filter."""
        match condition.lookup:
            # The payload of a category holds the paths of its ancestors, too.
            case Lookup.EXACT | Lookup.SUBTREE:
                if self.match.setdefault(condition.field, value) != value:
                    self._match_each(condition, [[value]])
            case Lookup.ANY_OF:
                if self.match_any.setdefault(condition.field, [*value]) != [*value]:
                    self._match_each(condition, [[*value]])
            case Lookup.HOLDS:
                self._match_each(condition, [[each] for each in value])
            case Lookup.ATTRIBUTES:
                self._match_each(condition, [_terms(name, texts) for name, texts in value])
            case Lookup.NONE_OF | Lookup.OUTSIDE | Lookup.HOLDS_NONE:
                self.exclude.setdefault(condition.field, set()).update(value)
            case Lookup.NO_ATTRIBUTES:
                refused = {term for name, texts in value for term in _terms(name, texts)}
                self.exclude.setdefault(condition.field, set()).update(refused)
            case Lookup.MINIMUM | Lookup.MAXIMUM:
                self._narrow(self.bounds.setdefault(condition.field, {}), condition.lookup, float(value))

    def filter(self) -> Filter:
        """The filter with these arguments; of two ranges that do not meet, one that nothing matches."""
        for name in [
            name for name, ends in self.bounds.items() if ends.get("gte", -math.inf) > ends.get("lte", math.inf)
        ]:
            del self.bounds[name]
            self.match_any[name] = []
        return Filter(
            match=self.match,
            match_any=self.match_any,
            match_each=self.match_each,
            exclude={name: sorted(values) for name, values in self.exclude.items()},
            ranges={name: Range(**ends) for name, ends in self.bounds.items()},
        )

    @staticmethod
    def _narrow(ends: dict[str, float], lookup: Lookup, value: float) -> None:
        if lookup is Lookup.MINIMUM:
            ends["gte"] = max(value, ends.get("gte", value))
        else:
            ends["lte"] = min(value, ends.get("lte", value))

    def _match_each(self, condition: Condition, lists: list[list[Any]]) -> None:
        self.match_each.setdefault(condition.field, []).extend(lists)


def _terms(name: str, texts: Iterable[str]) -> list[str]:
    return [attribute_term(name, text) for text in texts]


def deduplicate_families(hits: Iterable[Hit], cards: Mapping[int, ProductCard]) -> Iterator[Hit]:
    """Keep the first hit of each family of variants.

    Args:
        hits: best first; looked at as far as hits are taken.
        cards: of the hits' products, by product id.

    Yields:
        The hits that are kept, in the same order.
    """
    families: set[int] = set()
    for hit in hits:
        family = cards[hit.product_id].family
        if family not in families:
            families.add(family)
            yield hit


def deduplicate_pictures(hits: Sequence[Hit], distance: Distance, limit: int, read_vectors: ReadVectors) -> list[Hit]:
    """Keep the first hit of each picture: of products with the same photo, or the same photo re-saved, one is shown.

    Args:
        hits: best first.
        distance: how they were compared with the query.
        limit: how many hits are wanted; those after them may be left out.
        read_vectors: gives vectors by point id. Called once, for hits whose scores are so near to each other's that they may
            show the same picture.

    Returns:
        The hits that are kept, in the same order.
    """
    places, matrix = _unclear(hits, distance, read_vectors)
    copies = {places[row] for row in _copies(matrix, limit)} if places else set()
    return [hit for place, hit in enumerate(hits) if place not in copies] if copies else [*hits]


def same_pictures(hits: Sequence[Hit], distance: Distance, read_vectors: ReadVectors) -> list[tuple[int, int]]:
    """Find all hits that show the same picture, as `deduplicate_pictures` compares them.

    Args:
        hits: best first; few.
        distance: how they were compared with the query.
        read_vectors: as in `deduplicate_pictures`.

    Returns:
        Pairs of positions, the better one first.
    """
    places, matrix = _unclear(hits, distance, read_vectors)
    if not places:
        return []
    equal = np.triu(_equal(matrix, np.einsum("ij,ij->i", matrix, matrix)), 1)
    return [(places[first], places[second]) for first, second in np.argwhere(equal).tolist()]


def _unclear(
    hits: Sequence[Hit], distance: Distance, read_vectors: ReadVectors
) -> tuple[list[int], NDArray[np.float32]]:
    """The positions of hits that may show the same picture as another, and their vectors; of fewer than two, none."""
    unclear = _may_be_equal(hits, distance)
    missing = [hits[place].id for place in unclear if hits[place].vector is None]
    read = read_vectors(missing) if missing else {}
    vectors = {
        place: vector
        for place in unclear
        if (vector := read.get(hits[place].id) if hits[place].vector is None else hits[place].vector) is not None
    }
    if len(vectors) < 2:
        return [], np.empty((0, 0), np.float32)
    return [*vectors], np.stack([*vectors.values()])


def _may_be_equal(hits: Sequence[Hit], distance: Distance) -> list[int]:
    """The positions of hits that look the same as another by how far they are from the query, or by their sketches."""
    if len(hits) < 2:
        return []
    cosines = [cosine for hit in hits if (cosine := distance.cosine_of(hit.score)) is not None]
    if len(cosines) < len(hits):
        return [*range(len(hits))]
    angles = [math.acos(min(1.0, max(-1.0, cosine))) for cosine in cosines]
    near = [after - before <= _SAME_PICTURE_ANGLE for before, after in pairwise(angles)]
    unclear = [place for place, is_near in enumerate(zip([False, *near], [*near, False], strict=True)) if any(is_near)]
    sketches = [sketch for place in unclear if (sketch := hits[place].sketch) is not None]
    if not sketches or len(sketches) < len(unclear) or len(unclear) > _COMPARED_AT_ONCE:
        return unclear
    return [unclear[position] for position in _equal_sketches(sketches)]


def _equal_sketches(sketches: Sequence[bytes]) -> list[int]:
    """The positions of those that are as near to another as equal pictures of unit length."""
    matrix = np.frombuffer(b"".join(sketches), dtype=np.float32).reshape(len(sketches), -1)
    products = matrix @ matrix.T
    squares = products.diagonal()
    equal = squares[:, None] + squares - 2 * products <= _SAME_PICTURE_SQUARE
    # As a rule each is equal to itself alone.
    if np.count_nonzero(equal) == len(sketches):
        return []
    positions: list[int] = np.flatnonzero(np.count_nonzero(equal, axis=1) > 1).tolist()
    return positions


def _equal(matrix: NDArray[np.float32], longest: NDArray[Any]) -> NDArray[np.bool_]:
    """Which rows are equal pictures: bool [n, n]. longest: the square of the length that counts for each, [n]."""
    squares = np.einsum("ij,ij->i", matrix, matrix)
    apart = squares[:, None] + squares - 2 * matrix @ matrix.T
    return np.asarray(apart <= _SAME_PICTURE_SQUARE * np.maximum(longest[:, None], longest))


def _copies(matrix: NDArray[np.float32], limit: int) -> list[int]:
    """The rows that are equal to one before them which is kept; `limit` rows are kept, those behind them are not looked at."""
    squares = np.einsum("ij,ij->i", matrix, matrix)
    # As a rule each is equal to itself alone.
    if len(matrix) <= _COMPARED_AT_ONCE and np.count_nonzero(_equal(matrix, squares)) == len(matrix):
        return []

    def equal(row: Any, others: Any) -> Any:
        apart = squares[row] + squares[others] - 2 * matrix[others] @ matrix[row]
        return apart <= _SAME_PICTURE_SQUARE * np.maximum(squares[row], squares[others])

    copies: list[int] = []
    left, kept = np.arange(len(matrix)), 0
    while len(left) and kept < limit:
        same = equal(left[0], left)
        same[0] = True
        copies += left[same][1:].tolist()
        left, kept = left[~same], kept + 1
    return copies
