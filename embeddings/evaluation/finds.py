"""What two encoders find of each category, and what that says in words: "finds 98 of 100 instead of 74; worse in sofas"."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.utils.translation import gettext as _

from embeddings.evaluation.metrics import METRICS, Labels, PerQuery

# So many categories are named.
NAMED = 5


@dataclass(frozen=True, slots=True)
class CategoryFinds:
    """How often two versions find a category.

    Attributes:
        category: slug path.
        queries: photos of the category that were asked.
        live: for how many of them the live version's nearest product is of the category.
        candidate: the same of the candidate.
        lost: how many only the live version finds.
        gained: how many only the candidate finds.
    """

    category: str
    queries: int
    live: int
    candidate: int
    lost: int
    gained: int

    @property
    def is_worse(self) -> bool:
        """Whether the candidate loses more than chance explains: a sign test (McNemar, 1947), two standard deviations."""
        return self.lost - self.gained > 2 * math.sqrt(self.lost + self.gained)

    @property
    def is_better(self) -> bool:
        """Likewise, whether it gains more."""
        return self.gained - self.lost > 2 * math.sqrt(self.lost + self.gained)


def category_finds(asked: Labels, live: PerQuery, candidate: PerQuery) -> list[CategoryFinds]:
    """Count what two encoders find of the same queries.

    Args:
        asked: [q], the category of each query.
        live: what the live version found.
        candidate: what the candidate found.

    Returns:
        One for each category with a counted query, by path.
    """
    first = list(METRICS).index("recall_at_1")
    by_live, by_candidate = (each.values[:, first] == 1 for each in (live, candidate))
    finds = []
    for category in np.unique(asked):
        chosen = (asked == category) & live.counted
        before, after = by_live[chosen], by_candidate[chosen]
        figures = (before, after, before & ~after, after & ~before)
        if len(before):
            finds.append(CategoryFinds(str(category), len(before), *(int(each.sum()) for each in figures)))
    return finds


def finds_in_words(version: str, finds: Sequence[CategoryFinds]) -> list[str]:
    """What the comparison says.

    Args:
        version: label of the candidate.
        finds: by category.

    Returns:
        A sentence each.
    """
    queries = sum(each.queries for each in finds)
    if not queries:
        return [_("There are no figures: no category has photos of two products.")]
    before, after = (
        round(100 * found / queries)
        for found in (sum(each.live for each in finds), sum(each.candidate for each in finds))
    )
    sentences = [
        _("Of 100 photos, %(version)s finds a product of the same category first for %(after)d instead of %(before)d.")
        % {"version": version, "after": after, "before": before}
    ]
    worse = sorted((each for each in finds if each.is_worse), key=lambda each: each.gained - each.lost)
    better = sorted((each for each in finds if each.is_better), key=lambda each: each.lost - each.gained)
    if worse:
        sentences.append(_("Worse in %s.") % _named(worse))
    if better:
        sentences.append(_("Better in %s.") % _named(better))
    if not worse and not better:
        sentences.append(_("In no category is the difference larger than chance."))
    return sentences


def _named(finds: Sequence[CategoryFinds]) -> str:
    named = [
        _("%(category)s (%(after)d of %(queries)d instead of %(before)d)")
        % {"category": each.category, "after": each.candidate, "queries": each.queries, "before": each.live}
        for each in finds[:NAMED]
    ]
    more = len(finds) - NAMED
    return ", ".join(named) + (_(" and %d more") % more if more > 0 else "")
