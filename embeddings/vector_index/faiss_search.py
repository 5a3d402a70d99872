"""How FAISS is searched: one query of an open collection."""

from __future__ import annotations

from collections.abc import Collection as AnyCollection
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

from embeddings.vector_index.base import Distance, Filter, Hit, Vector, VectorQuery
from embeddings.vector_index.columns import Mask, Rows
from embeddings.vector_index.faiss_rows import Opened
from embeddings.vector_index.filtered_search import FEW_HIDDEN
from embeddings.vector_index.scoring import best_first, best_of_products, near_enough, sketch_of

_CANDIDATES, _CANDIDATES_A_WANTED = 256, 4


@dataclass(slots=True)
class Search:
    """One query of an open collection, which nobody changes meanwhile."""

    opened: Opened
    query: VectorQuery
    target: Vector
    hidden: AnyCollection[int]
    ef: int
    nprobe: int

    def answer(self) -> list[Hit]:
        """The hits of the query, best first."""
        faiss.omp_set_num_threads(1)  # of this thread: one query in several threads takes longer
        passing = self.opened.passing(replace(self.query.filter, exclude_ids=self.hidden))
        found = self._products(passing) if self.query.group_by_product else self._hits(self.query.limit, passing)
        return found[: self.query.limit]

    def _hits(self, limit: int, passing: Mask | None) -> list[Hit]:
        """The nearest `limit` points within the query's min_score, and those that tie with the last of them, best first."""
        rows, scores = self._nearest(limit, passing)
        near = [(int(row), float(score)) for row, score in zip(rows, scores, strict=True)]
        near = [(row, score) for row, score in near if near_enough(score, self.query.min_score)]
        vectors = self.opened.vectors([row for row, _ in near])
        ids, payloads, wanted = self.opened.ids, self.opened.payloads, self.query.with_vectors
        return best_first(
            Hit(ids[row], payloads[row]["product_id"], score, vector if wanted else None, sketch_of(vector))
            for (row, score), vector in zip(near, vectors, strict=True)
        )

    def _products(self, passing: Mask | None) -> list[Hit]:
        """The best hit of each of the nearest products: asks again, without those it has, until there are enough."""
        products: list[Hit] = []
        limit = 2 * self.query.limit + 2
        while len(products) < self.query.limit:
            hits = self._hits(limit, passing)
            products += best_of_products(hits)
            if len(hits) < limit:
                break
            have = Filter(exclude={"product_id": [hit.product_id for hit in products]})
            others = self.opened.passing(have)
            passing = others if passing is None or others is None else passing & others
            limit *= 2
        return products

    def _nearest(self, limit: int, passing: Mask | None) -> tuple[Rows, NDArray[np.float32]]:
        """Rows and scores of the nearest `limit` points that pass, and of all that tie with the last of them."""
        among = self._candidates(limit, passing)
        if among is not None:
            rows, scores = self._compared(limit + 1, among)
            if len(rows) > limit and scores[limit] != scores[limit - 1]:
                return rows[:limit], scores[:limit]
        everything = np.flatnonzero(self.opened.all_alive() if passing is None else passing)
        asked = limit + 1
        while True:
            rows, scores = self._compared(asked, everything)
            if len(rows) < asked or scores[-1] != scores[limit - 1]:
                tied = int(np.sum(scores >= scores[limit - 1])) if len(rows) > limit else len(rows)
                return rows[:tied], scores[:tied]
            asked *= 2

    def _candidates(self, limit: int, passing: Mask | None) -> Rows | None:
        """Rows among which the nearest are, by the structure; None: it cannot find them."""
        opened, structure = self.opened, self.opened.structure
        if structure is None or not opened.is_approximate():
            return None
        if passing is not None and len(opened.row_of) - int(passing.sum()) > FEW_HIDDEN:
            return None
        width = max(_CANDIDATES, _CANDIDATES_A_WANTED * limit)
        if isinstance(structure, faiss.IndexHNSW):
            width = max(self.ef, _CANDIDATES_A_WANTED * limit)
            params = faiss.SearchParametersHNSW(efSearch=width)
        else:
            params = faiss.SearchParametersIVF(nprobe=self.nprobe)
        found: NDArray[np.int64]
        _, found = structure.search(self.target[None], min(width, opened.built), params=params)
        rows = np.concatenate([found[0][found[0] >= 0], np.arange(opened.built, opened.rows)])
        mask = opened.alive if passing is None else passing
        known: Rows = rows[mask[rows]]
        return known

    def _compared(self, limit: int, rows: Rows) -> tuple[Rows, NDArray[np.float32]]:
        """The nearest `limit` of these rows and their scores, best first, compared by the store."""
        if not len(rows):
            return rows, np.empty(0, np.float32)
        distance = self.opened.collection.distance
        # FAISS looks each row up in an array of ids for l1, and reads the rows of the array alone for the others.
        few = distance is not Distance.L1 and 4 * len(rows) < self.opened.rows
        if few:
            selector = faiss.IDSelectorArray(np.ascontiguousarray(rows, np.int64))
        else:
            bits = np.zeros(self.opened.rows, dtype=np.bool_)
            bits[rows] = True
            selector = faiss.IDSelectorBitmap(np.packbits(bits, bitorder="little"))
        params = faiss.SearchParameters(sel=selector)
        found, nearest = self.opened.store.search(self.target[None], min(limit, len(rows)), params=params)
        scores = found[0]
        if distance is Distance.L2:
            scores = -np.sqrt(np.maximum(scores, 0))
        elif distance is Distance.L1:
            scores = -scores
        return nearest[0], scores
