"""What rules look at besides a product's card: tags, attributes and age."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import caches
from django.db import connection
from django.utils import timezone

from catalog.cards import ProductCard
from catalog.json_conditions import attribute_texts
from catalog.kept import Kept
from catalog.models import Product
from jobs.process import process

# By hand: every recommendation with such a rule needs it.
_COLUMNS = "id, tags, attributes, created_at"
_SQL = f"SELECT {_COLUMNS} FROM {Product._meta.db_table} WHERE id IN"  # noqa: S608
# As in catalog.cards: SQLite's driver releases the interpreter for every row, so fetch one.
_ONE_ROW_SQL = f"SELECT json_group_array(json_array({_COLUMNS})) FROM {Product._meta.db_table} WHERE id IN"  # noqa: S608
# The values of a wall's attribute are those of so many of the newest products, read so often. What is newer is found by the check
# after the query.
_NEWEST = 20_000
_VALUES_TTL_S = 600
_MAX_VALUES = 50
_MAX_KEPT_CHARACTERS = 500


class Details:
    """The details of a product. They are parsed when somebody asks for them, since most of them nobody does."""

    __slots__ = ("_attributes", "_created_at", "_tags")

    def __init__(self, tags: Any = (), attributes: Any = None, created_at: Any = None) -> None:
        """Keep the values as the database gives them; created_at: None for a product that is not known."""
        self._tags, self._attributes, self._created_at = tags, attributes, created_at

    @property
    def characters(self) -> int:
        """How long tags and attributes are as texts."""
        return len(str(self._tags)) + len(str(self._attributes))

    @property
    def tags(self) -> Sequence[str]:
        """Its tags."""
        if isinstance(self._tags, str):
            self._tags = json.loads(self._tags) if self._tags != "[]" else ()
        found: Sequence[str] = self._tags
        return found

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Values by name."""
        if isinstance(self._attributes, str):
            self._attributes = json.loads(self._attributes)
        return self._attributes or {}

    @property
    def created_at(self) -> datetime | None:
        """When it came into the catalogue."""
        found = datetime.fromisoformat(self._created_at) if isinstance(self._created_at, str) else self._created_at
        # SQLite has no time zones: Django stores UTC.
        return None if found is None else found if found.tzinfo else found.replace(tzinfo=UTC)

    def texts(self, name: str) -> list[str]:
        """The texts of an attribute; none where the product does not have it."""
        attributes = self.attributes
        return attribute_texts(attributes[name]) if name in attributes else []

    def number(self, name: str) -> float | None:
        """The value of an attribute as a number; None where it is none."""
        value = self.attributes.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            return float(value)
        except ValueError:
            return None

    def is_newer_than(self, days: int) -> bool:
        """Whether it has been in the catalogue for less than this many days."""
        return self.created_at is not None and timezone.now() - self.created_at < timedelta(days=days)


NO_DETAILS = Details()


@dataclass(frozen=True, slots=True)
class Facts:
    """A product as rules see it."""

    card: ProductCard
    details: Details = NO_DETAILS


class _KeptDetails(Kept[int, Details]):
    """Details by product id, of products with few attributes; in 40 MB at most."""

    most = 20_000

    def is_small(self, value: Details) -> bool:
        """Whether it has few attributes."""
        return value.characters <= _MAX_KEPT_CHARACTERS


def details_of(product_ids: Collection[int], stamp: int | None = None) -> dict[int, Details]:
    """Read the details of products.

    Args:
        product_ids: any ids.
        stamp: of the catalogue, read before; details that were read since are not read again. None: all are read.

    Returns:
        Details by product id, of those that there are.
    """
    return process.get(_KeptDetails).get_each(stamp, product_ids, _read_details)


def _read_details(product_ids: Sequence[int]) -> dict[int, Details]:
    if not product_ids:
        return {}
    is_sqlite = connection.vendor == "sqlite"
    with connection.cursor() as cursor:
        select = _ONE_ROW_SQL if is_sqlite else _SQL
        cursor.execute(f"{select} ({', '.join(['%s'] * len(product_ids))})", [*product_ids])
        rows = json.loads(cursor.fetchone()[0]) if is_sqlite else cursor.fetchall()
    return {product_id: Details(*values) for product_id, *values in rows}


def known_values(name: str) -> Sequence[str]:
    """The texts of an attribute that the newest products have, most frequent first, as they were minutes ago.

    Args:
        name: of the attribute.

    Returns:
        Some texts at most; an attribute with more is none for a wall.
    """
    return caches["process"].get_or_set(f"rules:values:{name}", lambda: _read_values(name), _VALUES_TTL_S) or ()


def _read_values(name: str) -> Sequence[str]:
    newest = Product.objects.visible().order_by("-pk").values_list("attributes", flat=True)[:_NEWEST]
    counts: dict[str, int] = {}
    for attributes in newest.iterator():
        if isinstance(attributes, dict) and name in attributes:
            for text in attribute_texts(attributes[name]):
                counts[text] = counts.get(text, 0) + 1
    return tuple(sorted(counts, key=lambda text: (-counts[text], text))[:_MAX_VALUES])
