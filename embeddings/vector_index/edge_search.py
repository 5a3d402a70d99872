"""How Qdrant Edge is searched: one query, or several at once, against an open shard."""

from __future__ import annotations

import math
from collections.abc import Collection as AnyCollection
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from heapq import nsmallest
from itertools import islice, takewhile
from typing import Any

import numpy as np
import qdrant_edge as engine

from embeddings.vector_index.base import (
    UNFILTERED,
    Distance,
    Filter,
    Hit,
    SparseQuery,
    SparseVector,
    Vector,
    VectorQuery,
)
from embeddings.vector_index.cells import Near
from embeddings.vector_index.edge_shard import LEARNED_FROM, Shard
from embeddings.vector_index.edge_values import engine_filter, engine_sparse, known_of
from embeddings.vector_index.filtered_search import (
    EXACT,
    LEAST_RESCORED,
    OVERSAMPLING,
    Situation,
    Step,
    first_step,
    next_step,
)
from embeddings.vector_index.known_points import KnownPoint
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough

_MAX_CANDIDATES = 10_000  # more hits with one score than these are cut by chance, too
_TIES_GROWTH = 4
_LEARNING_RATE = 0.05
_MOST_IN_CELLS = 500_000  # of which cells take some 50 MB
_NOT_RESCORED = engine.QuantizationSearchParams(rescore=False)
_Scored = engine.ScoredPoint | Near

# Asks for several things at a time, is sent their answers, and returns the points in the end.
_Asking = Generator[list[engine.QueryRequest], Any, Sequence[_Scored]]


@dataclass(slots=True)
class Search:
    """One query against an open shard.

    Attributes:
        shard: open while the query lasts.
        query: what is asked.
        vector: what is looked for.
        target: the same for the engine.
        ef: least width of the HNSW search.
        hidden: ids that are never returned.
        scanned: how many points are compared in the time of a wide search (see `filtered_search`).
        rescored: whether candidates are found by quantised vectors and compared again by the full ones.
        answered: the answer to `first_asked`, where it was asked together with others'.
    """

    shard: Shard
    query: VectorQuery
    vector: Vector
    target: list[float]
    ef: int
    hidden: AnyCollection[int]
    scanned: int
    rescored: bool
    answered: Sequence[_Scored] | None = None
    points_a_product: float = field(init=False)

    def __post_init__(self) -> None:
        # As it is now: other searches change the average meanwhile.
        self.points_a_product = self.shard.points_a_product

    def answer(self) -> list[Hit]:
        """The hits of the query, best first."""
        found = self.products() if self.query.group_by_product else self.hits(self.query.limit)
        return found[: self.query.limit]

    def hits(self, limit: int, without_products: Sequence[int] = ()) -> list[Hit]:
        """The nearest `limit` points within the query's min_score, and those that tie with the last of them, best first."""
        found = self._scored(limit, self._conditions(without_products))
        # The engine answers with distances for l2 and l1.
        sign = self.shard.collection.distance.sign
        near = [(int(point.id), sign * point.score) for point in found]
        if self.query.min_score is not None:
            near = [(point_id, score) for point_id, score in near if near_enough(score, self.query.min_score)]
        if self.shard.collection.of_products and not self.query.with_vectors:
            return best_first([Hit(point_id, point_id, score) for point_id, score in near])
        known, vectors = self._read([point_id for point_id, _ in near])
        hits = []
        for point_id, score in near:
            if (read := known.get(point_id)) is not None:
                hits.append(Hit(point_id, read.product_id, score, vectors.get(point_id), read.sketch))
        return best_first(hits)

    def _read(self, ids: Sequence[int]) -> tuple[Mapping[int, KnownPoint], Mapping[int, Vector]]:
        """Read points by id. With the payload in the query, the engine would read it for more points than it returns.

        Returns:
            What is known of the points by point id, and vectors by point id if the query needs them.
        """
        writes = self.shard.known.writes
        found = self.shard.known.find(ids)
        missing = ids if self.query.with_vectors else [point_id for point_id in ids if point_id not in found]
        if not missing:
            return found, {}
        fresh, vectors = known_of(self.shard.handle.retrieve([*missing], ["product_id"], True))
        self.shard.known.keep(fresh, writes)
        return found | fresh, vectors if self.query.with_vectors else {}

    def products(self) -> list[Hit]:
        """The best hit of each of the nearest products: asks again, without those it has, until there are enough."""
        products: list[Hit] = []
        limit = self._first_limit()
        while len(products) < self.query.limit:
            hits = self.hits(limit, [hit.product_id for hit in products])
            best = best_of_products(hits)
            if best:
                self.shard.points_a_product += _LEARNING_RATE * (len(hits) / len(best) - self.shard.points_a_product)
            products += best
            if len(hits) < limit:
                break
            limit = min(2 * limit, _MAX_CANDIDATES)
        return products

    def _first_limit(self) -> int:
        if not self.query.group_by_product:
            return self.query.limit
        return min(math.ceil(self.points_a_product * self.query.limit) + 2, _MAX_CANDIDATES)

    def _conditions(self, without_products: Sequence[int] = ()) -> Filter | None:
        """What points have to meet; None: nothing."""
        asked = self.query.filter
        if asked is UNFILTERED and not self.hidden and not without_products:
            return None
        if not self.hidden and not without_products:
            return asked
        exclude = asked.exclude
        if without_products:
            exclude = {**exclude, "product_id": [*exclude.get("product_id", ()), *without_products]}
        return replace(asked, exclude=exclude, exclude_ids=self.hidden)

    def _scored(self, limit: int, filter: Filter | None) -> Sequence[_Scored]:
        """The nearest `limit` points and all that tie with the last of them: which of these the engine returns is chance."""
        asked = limit + 1
        while True:
            points, self.answered = self.answered, None
            if points is None:
                (points,) = _ask(self.shard, [self._nearest(asked, filter)])
            cut = points[:limit][-1].score if points else None
            if len(points) < asked or points[-1].score != cut or asked > _MAX_CANDIDATES:
                return [*points[:limit], *(point for point in points[limit:] if point.score == cut)]
            asked *= 2

    def first_asked(self) -> _Asking:
        """What the search asks first."""
        return self._nearest(self._first_limit() + 1, self._conditions())

    def _nearest(self, limit: int, filter: Filter | None) -> _Asking:
        """The nearest `limit` points that meet the conditions, best first."""
        total = self.shard.size()
        cells = self.shard.cells
        rows = None if cells is None or filter is None else cells.passing(filter)
        in_rows = 0 if rows is None else int(np.count_nonzero(rows))
        conditions = None if filter is None or rows is not None else engine_filter(filter)
        if cells is not None and rows is not None:
            passing = in_rows + len(cells.written)
        else:
            passing = total if conditions is None else self.shard.count(conditions, exact=False)
        situation = Situation(limit, passing, total, self.scanned, not self.rescored, rows is not None)
        step: Step | None = first_step(situation)
        points: Sequence[_Scored] = []
        while step is not None:
            if step.in_cells and cells is not None and filter is not None and rows is not None:
                if not (written := cells.written):
                    return [*cells.nearest(self.vector, rows, in_rows, limit)]
                # All are compared by the engine, so that equal vectors have equal scores.
                among = _among(cells.candidates(self.vector, rows, in_rows, limit), None)
                newer = [_has_id(written), *_all_of(engine_filter(filter))]
                among = engine.Filter(should=[among, engine.Filter(must=newer)])
                (points,) = yield [self._request(limit, among, exact=not self.rescored)]
                return points
            if filter is not None and conditions is None:
                conditions = engine_filter(filter)
            answers = yield self._requests(step, limit, conditions)
            place = None
            if step.around:
                self.shard.cells_wanted = self._can_have_cells(total)
                places = {point.id: place for place, point in enumerate(answers[0], 1)}
                found = {point.id for answer in answers for point in answer}
                answers = yield [self._request(limit, _among(found, conditions), exact=not self.rescored)]
                place = places.get(answers[0][-1].id) if len(answers[0]) == limit else None
            points = answers[0] if step == EXACT or not points else self._joined(points, answers[0])[:limit]
            step = next_step(step, situation, len(points), place)
        return points

    def _can_have_cells(self, total: int) -> bool:
        """Whether a search by cells is faster than those without."""
        # Without a graph, all points are compared anyway. Other distances have no bound for how near a cell's points may be.
        is_large = max(LEARNED_FROM, self.scanned) <= total <= _MOST_IN_CELLS
        return is_large and self.shard.collection.distance is Distance.COSINE

    def _requests(self, step: Step, limit: int, conditions: engine.Filter | None) -> list[engine.QueryRequest]:
        """What finds the candidates of a step. Those around the target are compared by the full vectors afterwards."""
        if not step.around:
            return [self._request(limit, conditions, ef=step.in_graph, exact=step.exact)]
        quantization = _NOT_RESCORED if self.rescored else None
        around = engine.SearchParams(hnsw_ef=step.around, exact=step.exact, quantization=quantization)
        requests = [_request(self.target, step.around, None, around)]
        if step.in_graph:
            in_graph = engine.SearchParams(hnsw_ef=step.in_graph, quantization=quantization)
            requests.append(_request(self.target, limit, conditions, in_graph))
        return requests

    def _joined(self, points: Iterable[_Scored], others: Iterable[_Scored]) -> Sequence[_Scored]:
        """The points of both, each once, best first."""
        sign = self.shard.collection.distance.sign
        each = {point.id: point for point in [*points, *others]}
        return sorted(each.values(), key=lambda point: -sign * point.score)

    def _request(
        self, limit: int, conditions: engine.Filter | None, *, exact: bool, ef: int = 0
    ) -> engine.QueryRequest:
        quantization = _rescored(limit) if self.rescored else None
        params = engine.SearchParams(hnsw_ef=max(self.ef, ef, 2 * limit), exact=exact, quantization=quantization)
        return _request(self.target, limit, conditions, params)


def ask_together(searches: Sequence[Search]) -> None:
    """Ask for what each search asks first, and read the points that were found, at once."""
    if len(searches) < 2:
        return
    answers = _ask(searches[0].shard, [search.first_asked() for search in searches])
    for search, answer in zip(searches, answers, strict=True):
        search.answered = answer
    found = dict.fromkeys(int(point.id) for answer in answers for point in answer)
    if not searches[0].query.with_vectors and not searches[0].shard.collection.of_products:
        searches[0]._read([*found])


def sparse_hits(shard: Shard, query: SparseQuery, wanted: SparseVector) -> list[Hit]:
    """The points whose sparse vectors are nearest to the one of a query.

    Args:
        shard: open while the query lasts.
        query: what is asked.
        wanted: its vector, checked, with one entry at least.

    Returns:
        `query.limit` at most, best first, of equal scores the lowest ids.
    """
    nearest = engine.Query.Nearest(engine_sparse(wanted), using=query.using)
    conditions = engine_filter(query.filter)
    # More than are returned, and all that tie with the last of them: which of these the engine returns is chance. Products
    # with the same words are common, and a few more cost less than asking again. Payloads would cost more than all else.
    asked = 3 * query.limit + 1
    while True:
        found = shard.handle.query(
            engine.QueryRequest(limit=asked, query=nearest, filter=conditions, with_payload=False, with_vector=False)
        )
        if len(found) < asked or found[-1].score != found[query.limit - 1].score or asked > _MAX_CANDIDATES:
            break
        asked *= _TIES_GROWTH
    return [Hit(point_id, point_id, score) for score, point_id in _first_of_tied(found, query.limit)]


def _ask(shard: Shard, asking: Sequence[_Asking]) -> list[Sequence[_Scored]]:
    """What each is answered in the end; those that ask at the same time are asked in one batch."""
    answers: dict[int, Sequence[_Scored]] = {}
    waiting: dict[int, list[engine.QueryRequest]] = {}

    def go_on(position: int, got: list[Sequence[_Scored]] | None) -> None:
        try:
            waiting[position] = asking[position].send(got)
        except StopIteration as stop:
            answers[position] = stop.value

    for position in range(len(asking)):
        go_on(position, None)
    while waiting:
        asked, waiting = waiting, {}
        requests = [request for each in asked.values() for request in each]
        if len(requests) == 1:
            got = iter([shard.handle.query(requests[0])])
        else:
            got = iter(shard.handle.query_batch(engine.QueryBatchRequest(requests)))
        for position, each in asked.items():
            go_on(position, [next(got) for _ in each])
    return [answers[position] for position in range(len(asking))]


def _request(
    target: list[float], limit: int, conditions: engine.Filter | None, params: engine.SearchParams
) -> engine.QueryRequest:
    return engine.QueryRequest(
        limit=limit,
        query=engine.Query.Nearest(target),
        filter=conditions,
        with_payload=False,
        with_vector=False,
        params=params,
    )


def _rescored(limit: int) -> engine.QuantizationSearchParams:
    oversampling = max(OVERSAMPLING, LEAST_RESCORED / limit)
    return engine.QuantizationSearchParams(rescore=True, oversampling=oversampling)


def _first_of_tied(found: Sequence[engine.ScoredPoint], limit: int) -> list[tuple[float, int]]:
    """Score and id of the best, of equal ones the lowest ids. Thousands may tie, so that nothing is made of each.

    Args:
        found: by descending score.
        limit: how many are wanted.

    Returns:
        The best, in their order.
    """
    if not found:
        return []
    cut = found[min(limit, len(found)) - 1].score
    better = list(takewhile(lambda point: point.score > cut, found))
    tied = takewhile(lambda point: point.score == cut, islice(found, len(better), None))
    lowest = nsmallest(limit - len(better), (int(point.id) for point in tied))
    ranked = sorted((-point.score, int(point.id)) for point in better)
    return [*((-score, point_id) for score, point_id in ranked), *((cut, point_id) for point_id in lowest)]


def _among(ids: AnyCollection[Any], conditions: engine.Filter | None) -> engine.Filter:
    return engine.Filter(must=[engine.HasIdCondition(set(ids)), *_all_of(conditions)])


def _all_of(conditions: engine.Filter | None) -> list[Any]:
    return [] if conditions is None else [conditions]


@lru_cache(maxsize=16)
def _has_id(ids: frozenset[int]) -> engine.HasIdCondition:
    """Kept, as it takes 0.1 ms for a thousand ids that are the same in one query after the other."""
    return engine.HasIdCondition(set(ids))
