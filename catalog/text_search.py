"""The port of the search by words: the app that has an index registers it, and the shop asks it without knowing the app."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TextResults:
    """What a text finds.

    Attributes:
        ids: of products, best first.
        collection: slug of the collection that was searched.
        encoder: label of its encoder version.
    """

    ids: Sequence[int]
    collection: str
    encoder: str


# The flag: also what looks like the best of what the words find.
TextSearch = Callable[[str, bool], TextResults]


class SearchUnavailable(Exception):
    """There is no index of words, or it does not respond."""


class _Registered:
    """The search of this process."""

    search: TextSearch | None = None


def register(text_search: TextSearch) -> None:
    """Register the search, when the apps are ready.

    Args:
        text_search: raises SearchUnavailable.
    """
    _Registered.search = text_search


def search(text: str, *, similar_looks: bool = False) -> TextResults | None:
    """The products that a text finds.

    Args:
        text: words.
        similar_looks: find what looks like the best of them, too.

    Returns:
        The products; None where the index of words is unavailable, for a search by the database alone. That is logged.
    """
    if _Registered.search is None:
        return None
    try:
        return _Registered.search(text, similar_looks)
    except SearchUnavailable as error:
        logger.warning("searched by title and brand alone: %s", error)
        return None
