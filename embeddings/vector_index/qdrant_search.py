"""Searches of a Qdrant server: how a query is asked so that its answer is the nearest, and which hits tie at its end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from qdrant_client import QdrantClient, models

from embeddings.vector_index.base import Filter, Hit, IndexCollection, Point, SparseQuery, VectorQuery
from embeddings.vector_index.checks import checked_sparse, possible_ids
from embeddings.vector_index.filtered_search import (
    AS_UNFILTERED,
    EXACT,
    FEW_HIDDEN,
    LEAST_RESCORED,
    OVERSAMPLING,
    Situation,
    Step,
    first_step,
    next_step,
)
from embeddings.vector_index.qdrant_server import QdrantServer
from embeddings.vector_index.qdrant_values import own_hit, own_points, server_filter, server_sparse, with_ids
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough
from embeddings.vector_index.targets import query_target

_MAX_TIED = 10_000  # more hits with one score than these are cut by chance
_POINTS_A_PRODUCT = 3  # of which a grouped query in a batch is answered
_COUNT_VALID_S = 60
_MAX_COUNTED = 1000

Consistency = int | models.ReadConsistencyType | None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One query.

    Attributes:
        client: connected while the query lasts.
        collection: what is queried.
        query: what is asked.
        target: the vector that is looked for.
        hidden: ids that are never returned.
    """

    client: QdrantClient
    collection: IndexCollection
    query: VectorQuery
    target: list[float]
    hidden: set[int]

    @property
    def conditions(self) -> models.Filter | None:
        """What points have to meet."""
        return server_filter(self.query.filter, self.hidden)

    @property
    def batched(self) -> int:
        """How many points are asked for in a batch, where products cannot be."""
        return (_POINTS_A_PRODUCT if self.query.group_by_product else 1) * self.query.limit + 1

    def joined(self, hits: Iterable[Hit], others: Iterable[Hit]) -> list[Hit]:
        """The hits of both, each once, best first."""
        sign = self.collection.distance.sign
        ranked = sorted({hit.id: hit for hit in [*hits, *others]}.values(), key=lambda hit: -sign * hit.score)
        return best_of_products(ranked) if self.query.group_by_product else ranked


class QdrantSearch:
    """Searches by one adapter's settings; each is made by a client that is connected while it lasts."""

    def __init__(
        self,
        server: QdrantServer,
        read_consistency: Consistency,
        ef: int,
        full_scan_threshold_kb: int,
        *,
        quantized: bool,
        on_disk: bool,
    ) -> None:
        """See `QdrantVectorIndex`."""
        self._server = server
        self._read_consistency = read_consistency
        self._ef = ef
        self._full_scan_threshold_kb = full_scan_threshold_kb
        self._quantized, self._on_disk = quantized, on_disk
        self._counted: dict[tuple[str, str], tuple[float, int]] = {}

    @property
    def consistency(self) -> Consistency:
        """How many copies a read asks: as the settings say, and one where it has failed, so that too few copies still answer."""
        return None if self._server.is_repeating else self._read_consistency

    def nearest(self, client: QdrantClient, collection: IndexCollection, query: VectorQuery) -> list[Hit]:
        """The answer to a query.

        Args:
            client: connected while the query lasts.
            collection: what is queried.
            query: what is asked.

        Returns:
            Hits, best first.
        """
        target, hidden = self._target(client, collection, query)
        return _answer(self._found(_Asked(client, collection, query, target, hidden)), query, collection)

    def nearest_to_each(
        self, client: QdrantClient, collection: IndexCollection, queries: Sequence[VectorQuery]
    ) -> list[list[Hit] | None]:
        """The answers to queries that are asked together.

        Args:
            client: connected while they last.
            collection: what is queried.
            queries: what is asked.

        Returns:
            Hits of each, best first; None for one that has to be asked alone.
        """
        asked = [_Asked(client, collection, query, *self._target(client, collection, query)) for query in queries]
        begun = [self._begun(each) for each in asked]
        name = collection.name
        first = self._together(client, name, [self._batched(*each) for each in zip(asked, begun, strict=True)])
        around = {i: _ids(points) for i, points in enumerate(first) if begun[i][1].around}
        compared = self._together(client, name, [self._compared(asked[i], ids) for i, ids in around.items()])
        second = dict(zip(around, compared, strict=True))
        answers: list[list[Hit] | None] = []
        for i, each in enumerate(asked):
            situation, step = begun[i]
            points = second.get(i, first[i])
            answer = _answer(map(own_hit, points), each.query, collection)
            # The server cannot group in a batch: whoever has too few products, or a tie at the end, is asked for alone.
            short = len(points) < each.batched or len(answer) < each.query.limit
            cut = not short and _answer(map(own_hit, points[-1:]), each.query, collection)[-1:]
            alone = short or (cut and cut[0].score >= answer[-1].score)
            if i in around and not alone:
                alone = next_step(step, situation, len(points), _place(answer[-1].id, around[i])) is not None
            answers.append(None if alone else answer)
        return answers

    def by_terms(self, client: QdrantClient, collection: IndexCollection, query: SparseQuery) -> list[Hit]:
        """The answer to a query by words, as `nearest` gives that by a vector."""
        wanted = checked_sparse(query.vector, query.using, collection)
        if not len(wanted):
            return []
        asked = query.limit + 1
        while True:
            found = client.query_points(
                collection.name,
                query=server_sparse(wanted),
                using=query.using,
                query_filter=server_filter(query.filter, query.filter.exclude_ids),
                limit=asked,
                with_payload=False,
                consistency=self.consistency,
            ).points
            # As in `_found`: which of those that tie at the end the server returns is chance.
            if len(found) < asked or found[-1].score != found[query.limit - 1].score or asked > _MAX_TIED:
                break
            asked *= 2
        hits = [Hit(point_id := int(point.id), point_id, point.score) for point in found]
        return best_first(hits)[: query.limit]

    def _together(
        self, client: QdrantClient, name: str, requests: Sequence[models.QueryRequest]
    ) -> list[list[models.ScoredPoint]]:
        if not requests:
            return []
        responses = client.query_batch_points(name, requests, consistency=self.consistency)
        return [response.points for response in responses]

    def _target(
        self, client: QdrantClient, collection: IndexCollection, query: VectorQuery
    ) -> tuple[list[float], set[int]]:
        """The vector that a query looks for, and the points that are never in its answer."""
        examples = possible_ids({*query.positive_ids, *query.negative_ids})
        known: dict[int, Point] = {}
        if examples:
            known = own_points(client.retrieve(collection.name, examples, False, True, consistency=self.consistency))
        return query_target(query, known, collection).tolist(), {*examples, *query.filter.exclude_ids}

    def _batched(self, asked: _Asked, begun: tuple[Situation, Step]) -> models.QueryRequest:
        """What a query of a batch begins with."""
        if around := begun[1].around:
            return models.QueryRequest(query=asked.target, params=self._params(asked, around), limit=around)
        return models.QueryRequest(
            query=asked.target,
            filter=asked.conditions,
            params=self._params(asked, asked.batched, exact=begun[1].exact),
            limit=asked.batched,
            with_payload=["product_id"],
            with_vector=asked.query.with_vectors,
        )

    def _compared(self, asked: _Asked, ids: Sequence[int]) -> models.QueryRequest:
        """Candidates, compared under the query's filter."""
        return models.QueryRequest(
            query=asked.target,
            filter=with_ids(ids, asked.conditions),
            params=self._params(asked, asked.batched, exact=True),
            limit=asked.batched,
            with_payload=["product_id"],
            with_vector=asked.query.with_vectors,
        )

    def _found(self, asked: _Asked) -> list[Hit]:
        """The hits within the limit, and those that tie with the last of them: which of these the server returns is chance."""
        limit = asked.query.limit
        wanted = limit + 1
        while True:
            found = self._nearest(asked, wanted)
            if len(found) < wanted or found[-1].score != found[limit - 1].score or wanted > _MAX_TIED:
                return found
            wanted *= 2

    def _nearest(self, asked: _Asked, wanted: int) -> list[Hit]:
        """The nearest `wanted` points, or products, best first."""
        situation, first = self._begun(asked, wanted)
        step: Step | None = first
        found: list[Hit] = []
        while step is not None:
            place = None
            if step.around:
                candidates = self._candidates(asked, step, wanted)
                ids = list(dict.fromkeys(each for points in candidates for each in _ids(points)))
                hits = self._ask(asked, wanted, self._params(asked, wanted, exact=True), ids)
                if len(hits) == wanted:
                    place = _place(hits[-1].id, _ids(candidates[0]))
            else:
                hits = self._ask(asked, wanted, self._params(asked, max(wanted, step.in_graph), exact=step.exact))
            found = hits if step == EXACT or not found else asked.joined(found, hits)[:wanted]
            step = next_step(step, situation, len(found), place)
        return found

    def _candidates(self, asked: _Asked, step: Step, wanted: int) -> list[list[models.ScoredPoint]]:
        """The nearest of all points, and what a search in the graph with the filter finds."""
        around = self._params(asked, step.around, exact=step.exact)
        requests = [models.QueryRequest(query=asked.target, params=around, limit=step.around)]
        if step.in_graph:
            limit = (_POINTS_A_PRODUCT if asked.query.group_by_product else 1) * wanted
            params = self._params(asked, max(limit, step.in_graph))
            requests.append(
                models.QueryRequest(query=asked.target, filter=asked.conditions, params=params, limit=limit)
            )
        return self._together(asked.client, asked.collection.name, requests)

    def _begun(self, asked: _Asked, wanted: int | None = None) -> tuple[Situation, Step]:
        """What is known before a query is answered, and what it begins with."""
        wanted = wanted or asked.query.limit + 1
        conditions = asked.query.filter
        scannable = self._full_scan_threshold_kb * 1024 // (4 * asked.collection.dim)
        # Ids and products that are left out change with every query, and are few.
        exclude = {name: values for name, values in conditions.exclude.items() if name != "product_id"}
        lasting = replace(conditions, exclude=exclude, exclude_ids=())
        hidden = len(asked.hidden) + len(conditions.exclude.get("product_id", ()))
        # Nearly every query asks for active products: the others do not count as hidden, or each query took two requests.
        everywhere = Filter(match={name: value for name, value in conditions.match.items() if name == "active"})
        if lasting == everywhere and hidden <= FEW_HIDDEN:
            return Situation(wanted, 0, 0, scannable), AS_UNFILTERED  # without having to count
        passing = max(0, self._about(asked, lasting) - hidden)
        in_memory = not (self._quantized or self._on_disk)
        situation = Situation(wanted, passing, self._about(asked, everywhere), scannable, in_memory)
        return situation, first_step(situation)

    def _about(self, asked: _Asked, filter: Filter) -> int:
        """About how many points pass a filter, as it was up to a minute ago."""
        name, conditions, now = asked.collection.name, server_filter(filter, ()), time.monotonic()
        key = (name, conditions.model_dump_json(exclude_none=True) if conditions else "")
        counted = self._counted.get(key)
        if counted is None or now - counted[0] > _COUNT_VALID_S:
            if len(self._counted) >= _MAX_COUNTED:
                self._counted.clear()
            count = asked.client.count(name, conditions, exact=False).count
            counted = self._counted[key] = (now, count)
        return counted[1]

    def _ask(
        self, asked: _Asked, limit: int, params: models.SearchParams | None, among: Sequence[int] | None = None
    ) -> list[Hit]:
        """The nearest points, or products, that meet the conditions, of all or among candidates."""
        conditions = asked.conditions if among is None else with_ids(among, asked.conditions)
        client, name, query = asked.client, asked.collection.name, asked.query
        if query.group_by_product:
            groups = client.query_points_groups(
                name,
                group_by="product_id",
                group_size=1,
                query=asked.target,
                query_filter=conditions,
                search_params=params,
                limit=limit,
                with_payload=["product_id"],
                with_vectors=query.with_vectors,
                consistency=self.consistency,
            ).groups
            return [own_hit(point) for group in groups for point in group.hits]
        answer = client.query_points(
            name,
            query=asked.target,
            query_filter=conditions,
            search_params=params,
            limit=limit,
            with_payload=["product_id"],
            with_vectors=query.with_vectors,
            consistency=self.consistency,
        )
        return [own_hit(point) for point in answer.points]

    def _params(self, asked: _Asked, width: int, *, exact: bool = False) -> models.SearchParams | None:
        if self._server.is_local:  # always exact, and warns of parameters
            return None
        oversampling = max(OVERSAMPLING, LEAST_RESCORED / width)
        rescored = models.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        return models.SearchParams(
            hnsw_ef=max(self._ef * asked.query.breadth, width),
            exact=exact,
            quantization=rescored if self._quantized else None,
        )


def _answer(found: Iterable[Hit], query: VectorQuery, collection: IndexCollection) -> list[Hit]:
    """The hits that the query asks for, of those that were found."""
    if (sign := collection.distance.sign) != 1:  # the server answers with distances for l2 and l1
        found = [hit._replace(score=sign * hit.score) for hit in found]
    ranked = best_first(hit for hit in found if near_enough(hit.score, query.min_score))
    return (best_of_products(ranked) if query.group_by_product else ranked)[: query.limit]


def _ids(points: Iterable[models.ScoredPoint]) -> list[int]:
    return [int(point.id) for point in points]


def _place(point_id: int, ids: Sequence[int]) -> int | None:
    """Where an id is among others, from 1."""
    return ids.index(point_id) + 1 if point_id in ids else None
