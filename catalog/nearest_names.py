"""The names that come nearest to a mistyped one, for errors that say what may have been meant."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from difflib import SequenceMatcher

# Of two names that are less alike than this, neither is taken for the other.
_MIN_RATIO = 0.6
# A name is compared in full with so many others, those that have most letters in common with it: with 10,000 names of 120
# letters all of them would take seconds.
_MAX_COMPARED = 200


def nearest_names(name: str, known: Iterable[str], *, limit: int = 3) -> list[str]:
    """The known names that are most like a name, whatever the case of their letters.

    Args:
        name: as it was typed.
        known: names, or paths of names, of which the last name counts alone, too.
        limit: the most that are returned.

    Returns:
        The nearest first; none where no name is like it.
    """
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(name.casefold())

    def shared_letters(spelling: str) -> float:
        matcher.set_seq1(spelling)
        return matcher.quick_ratio() if matcher.real_quick_ratio() >= _MIN_RATIO else 0

    def ratio(spelling: str) -> float:
        matcher.set_seq1(spelling)
        return matcher.ratio()

    spelled = ((spelling, each) for each in known for spelling in _spellings(each))
    candidates = heapq.nlargest(
        _MAX_COMPARED, ((shared_letters(spelling), spelling, each) for spelling, each in spelled)
    )
    ratios: dict[str, float] = {}
    for at_most, spelling, each in candidates:
        if at_most >= _MIN_RATIO and (found := ratio(spelling)) >= _MIN_RATIO:
            ratios[each] = max(found, ratios.get(each, 0))
    return sorted(ratios, key=lambda each: (-ratios[each], each))[:limit]


def _spellings(name: str) -> set[str]:
    folded = name.casefold()
    return {folded, folded.rpartition("/")[2]}
