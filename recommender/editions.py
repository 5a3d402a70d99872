"""The edition of an answer: what it depends on besides the request, as a text. While it stays, a request gets the same answer."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

from catalog.stamps import may_lag
from catalog.stamps import read as read_stamps
from embeddings.registry import registry
from embeddings.selectors import LiveCollection, LiveCollections, clear_live_collection_cache, live_collection
from recommender.learning import serving
from recommender.rules.book import RuleBook, RuleBooks, forget_rules, rule_book
from recommender.rules.errors import UnknownRuleSet

# The code that makes answers: a release that makes others has other editions, without a number that somebody has to raise.
_PACKAGES = ("rest", "pictures", "product_files", "catalog", "embeddings", "recommender")


class _Setup:
    """The stamp of the setup by which this process has read collections, rules and what was learned."""

    def __init__(self) -> None:
        self.stamp: int | None = None
        self._lock = threading.Lock()

    def follow(self, stamp: int | None) -> None:
        """Have them read again, if they have changed since."""
        if stamp == self.stamp:
            if stamp is not None and not may_lag():
                registry.get(LiveCollections).confirm()
                registry.get(RuleBooks).confirm()
            return
        with self._lock:
            if stamp != self.stamp:
                clear_live_collection_cache()
                forget_rules()
                serving.clear_cache()
                self.stamp = stamp


@dataclass(frozen=True, slots=True)
class Edition:
    """What answers depend on, at a moment.

    Attributes:
        text: changes with whatever the answers are made of: products, photos, the index, the encoder version, rules, what was
            learned, tests and their hour, settings and code. None if a rule makes answers change by themselves.
        stamp: of the catalogue, see `catalog.kept`.
    """

    text: str | None
    stamp: int | None


# Of answers that nobody may keep.
NO_EDITION = Edition(None, None)


def edition_of(collection: str, rule_set: str | None) -> Edition:
    """The edition of the answers of a collection. Read it before the answer is made: an answer may be newer than its edition.

    Args:
        collection: slug.
        rule_set: name of the rule set that a query names; None for the active one; "" for none.

    Returns:
        The edition.

    Raises:
        UnknownCollection: there is no such collection.
        UnknownRuleSet: there is no set with this name.
    """
    stamps = read_stamps()
    registry.get(_Setup).follow(stamps.setup)
    live = live_collection(collection)
    books = _books(live, rule_set)
    if any(book.changes_by_itself for book in books):
        return Edition(None, stamps.catalogue)
    media = (settings.PRODUCT_URL, settings.MEDIA_URL)
    names = [book.names for book in books]
    text = repr((_release(), media, stamps.catalogue, stamps.setup, names, serving.current_hour()))
    return Edition(text, stamps.catalogue)


def _books(live: LiveCollection, rule_set: str | None) -> list[RuleBook]:
    """The rules that may apply to an answer."""
    books = [rule_book(live.slug, rule_set)]
    for name in serving.tested_rule_sets(live) if rule_set is None else ():
        try:
            books.append(rule_book(live.slug, name))
        except UnknownRuleSet:
            # It was deleted since; answers go on by the set in force.
            continue
    return [book for book in books if book is not None]


@cache
def _release() -> str:
    """What stands for the code and the settings of the index, which do not change while a process runs."""
    digest = hashlib.sha256(repr((settings.VECTOR_INDEX, settings.LEARNING)).encode())
    for package in _PACKAGES:
        for path in sorted((Path(settings.BASE_DIR) / package).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
