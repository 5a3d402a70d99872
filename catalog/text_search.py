"""The port of the search by words: the app that has an index registers it, and the shop asks it without knowing the app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

logger = logging.getLogger(__name__)

# Gives the ids of the products that a text finds, best first. The flag: also what looks like the best of them.
TextSearch = Callable[[str, bool], Sequence[int]]


class SearchUnavailable(Exception):
    """There is no index of words, or it does not respond."""


class _Registered:
    """The search of this process."""

    search: TextSearch | None = None


def register(search: TextSearch) -> None:
    """Register the search, when the apps are ready.

    Args:
        search: raises SearchUnavailable.
    """
    _Registered.search = search


def ranked_ids(text: str, *, similar_looks: bool = False) -> Sequence[int] | None:
    """The products that a text finds.

    Args:
        text: words.
        similar_looks: find what looks like the best of them, too.

    Returns:
        Ids, best first; None where the index of words is unavailable, for a search by the database alone. That is logged.
    """
    if _Registered.search is None:
        return None
    try:
        return _Registered.search(text, similar_looks)
    except SearchUnavailable as error:
        logger.warning("searched by title and brand alone: %s", error)
        return None
