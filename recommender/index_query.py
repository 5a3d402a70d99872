"""What the index is asked for one answer: which points, and how many, until enough products are accepted."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from catalog.filters import NO_FILTER, ProductFilter
from embeddings.selectors import LiveCollection, missing_fields
from embeddings.vector_index.base import UNFILTERED, Filter, Hit
from recommender.filtering import to_index_filter
from recommender.queries import SearchQuery
from recommender.rules.plan import Plan

# The index may lag behind the database by a few products, which are then dropped.
EXTRA_CANDIDATES = 2
_MAX_CANDIDATES = 10_000
# So many times what it seems to take is asked for: where rules leave something out, and where too few products came back.
_ESTIMATE_MARGIN = 1.25
_MAX_GROWTH = 8
# Up to this many excluded products are dropped after the query instead of being excluded by the index.
_MAX_POST_FILTERED = 20


class IndexQuery:
    """What the index is asked for: which points, and how many."""

    def __init__(
        self, live: LiveCollection, query: SearchQuery, plan: Plan, excluded_ids: Collection[int], target: int
    ) -> None:
        """The first query of an answer; target: how many products it needs."""
        self._live, self._query, self._plan, self._excluded_ids = live, query, plan, excluded_ids
        self._target = target
        self._is_wider = False
        # The index is twice as fast without conditions. Excluded products are then dropped afterwards, inactive ones because the
        # database does not return them, and what rules leave out if most of the nearest stay.
        if query.filter == NO_FILTER and plan.mild and len(excluded_ids) <= _MAX_POST_FILTERED:
            self.filter = UNFILTERED
            oversampling = _ESTIMATE_MARGIN / plan.share.value if plan.filters else 1
            self.limit = max(math.ceil(oversampling * target), target + EXTRA_CANDIDATES) + len(excluded_ids)
        elif len(excluded_ids) <= _MAX_POST_FILTERED:
            # Each condition is one more check of every point that is compared, and those on nearly all points hide next to none.
            self.filter = to_index_filter(query.filter, (), {"active", *missing_fields(live)}, further=plan.filters)
            self.limit = target + EXTRA_CANDIDATES + len(excluded_ids)
        else:
            self.filter = self._conditions()
            self.limit = target + EXTRA_CANDIDATES

    def is_exhausted(self, hits: Sequence[Hit]) -> bool:
        """Whether another query could bring no more than these hits."""
        return len(hits) < self.limit or self.limit >= _MAX_CANDIDATES

    def learn(self, accepted: Sequence[Hit], hits: Sequence[Hit]) -> None:
        """Note how much of what the first query found was accepted, if rules alone left something out of it."""
        if self.filter is UNFILTERED and self._plan.filters and not self._is_wider and hits:
            looked_at = [hit.id for hit in hits].index(accepted[-1].id) + 1 if accepted else len(hits)
            self._plan.share.learn(len(accepted), looked_at)

    def ask_for_more(self, accepted: int, full: Collection[str]) -> Collection[str]:
        """Prepare the next query.

        Args:
            accepted: how many hits were accepted.
            full: brands of which no more may be shown.

        Returns:
            Those of the brands that it leaves out.
        """
        few_are_missing = 2 * accepted >= self._target and 2 * self.limit < _MAX_CANDIDATES
        if self.filter is UNFILTERED and self._plan.filters and few_are_missing and not self._is_wider:
            # Conditions would cost more than what they leave out.
            self._is_wider = True
            self.limit *= 2
            return ()
        if self.filter is UNFILTERED and self._plan.filters:
            self.limit, self.filter = self._target + EXTRA_CANDIDATES, self._conditions()
        else:
            self.limit = _more_candidates(self.limit, accepted, self._target)
            if self.filter is not UNFILTERED:
                self.filter = self._conditions()
        if full:
            self.filter = self._conditions(ProductFilter(not_brand=tuple(sorted(full))))
        return full

    def _conditions(self, *further: ProductFilter) -> Filter:
        missing = missing_fields(self._live)
        return to_index_filter(self._query.filter, self._excluded_ids, missing, further=(*self._plan.filters, *further))


def _more_candidates(candidates: int, accepted: int, target: int) -> int:
    """How many candidates to query for next, if the further ones are accepted as often as those before."""
    estimate = math.ceil(_ESTIMATE_MARGIN * candidates * target / max(accepted, 1))
    return min(max(estimate, 2 * candidates), _MAX_GROWTH * candidates, _MAX_CANDIDATES)
