"""An open shard of Qdrant Edge, and what is known of its points beside it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Collection as AnyCollection
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock

import qdrant_edge as engine

from embeddings.vector_index.base import IndexCollection
from embeddings.vector_index.cells import Cells, Gathering
from embeddings.vector_index.known_points import KnownPoints

# From so many points on, a thread reads what is to be known of all of them, and makes cells where a filter needs them.
LEARNED_FROM = 5_000


@dataclass(slots=True)
class Shard:
    """An open shard.

    Attributes:
        users: calls that use it now.
        closing: new calls wait until it is closed, then open it again.
        known: of points, which saves reading them again.
        is_learned: whether a thread reads what is to be known of all points, or has.
        points_a_product: moving average of points of one product among the hits of a query; how far a grouped query has to look.
        counted: how many points there are, about; None: not counted since the last write.
        cells: what finds the nearest points that pass a filter; None: not made yet.
        gathering: what cells are being made from.
        cells_wanted: whether a query would have used them.
        cells_begun: when making them began last, by the monotonic clock.
    """

    handle: engine.EdgeShard
    collection: IndexCollection
    writing: Lock = field(default_factory=Lock)
    users: int = 0
    closing: bool = False
    known: KnownPoints = field(default_factory=KnownPoints)
    is_learned: bool = False
    points_a_product: float = 2.0
    counted: int | None = None
    cells: Cells | None = None
    gathering: Gathering | None = None
    cells_wanted: bool = False
    cells_begun: float = -math.inf

    @contextmanager
    def forgetting(self, ids: AnyCollection[int]) -> Iterator[None]:
        """What was known of points is forgotten once they are written. A write that fails is done in part."""
        try:
            yield
        finally:
            if ids:
                self.known.forget(ids)
                self.counted = None

    @contextmanager
    def changing(self, ids: Sequence[int], after: Callable[[Cells], None] | None = None) -> Iterator[None]:
        """The cells follow a write.

        Args:
            ids: of the points that are written.
            after: what the write changes in the cells; None, and after one that fails: the engine compares the points.
        """
        change: Callable[[Cells], None] | None = None
        try:
            yield
            change = after
        finally:
            if self.gathering is not None:
                self.gathering.changed.update(ids)
            if (cells := self.cells) is not None:
                if change is None:
                    cells.upserted(ids)
                else:
                    change(cells)
                if cells.are_old:
                    self.cells = None

    def size(self) -> int:
        """How many points there are, about."""
        if (counted := self.counted) is None:
            counted = self.counted = self.count(None, exact=False)
        return counted

    def count(self, conditions: engine.Filter | None, *, exact: bool = True) -> int:
        """How many points meet conditions; None: all."""
        return self.handle.count(engine.CountRequest(exact=exact, filter=conditions))

    def of_other_products(self, ids: AnyCollection[int], product_id: int) -> list[int]:
        """Which of the points are not of this product."""
        products = {point_id: point.product_id for point_id, point in self.known.find(ids).items()}
        unknown = [point_id for point_id in ids if point_id not in products]
        for record in self.handle.retrieve([*unknown], ["product_id"], False) if unknown else ():
            products[int(record.id)] = int((record.payload or {})["product_id"])
        return [point_id for point_id, own in products.items() if own != product_id]
