"""Words that the catalogue knows already: brands, tags, names and values of attributes, to be offered while somebody types.

They are read from the newest products that have what was typed, so that it stays cheap with many products.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db import connection
from django.db.models import Q, TextField
from django.db.models.functions import Cast

from catalog.json_conditions import HasAttribute, attribute_texts
from catalog.models import Product

# Words that are offered, and products that are read for them.
SUGGESTIONS = 20
_PRODUCTS = 500


def known_brands(text: str) -> list[str]:
    """Brands that begin with a text, or contain it where that is not enough.

    Args:
        text: what was typed; "" for any brand.

    Returns:
        At most SUGGESTIONS brands, in alphabetical order.
    """
    brands = Product.objects.exclude(brand="").order_by("brand").values_list("brand", flat=True).distinct()
    found = list(brands.filter(brand__istartswith=text)[:SUGGESTIONS])
    if len(found) < SUGGESTIONS:
        others = brands.filter(brand__icontains=text).exclude(brand__istartswith=text)
        found += others[: SUGGESTIONS - len(found)]
    return found


def known_tags(text: str = "", *, limit: int | None = SUGGESTIONS) -> list[str]:
    """Tags that contain a text.

    Args:
        text: what was typed; "" for any tag.
        limit: the most that are returned; None: all that the products have which are read.

    Returns:
        Tags: those that begin with it first, then the most frequent.
    """
    return _best(_words_of("tags", text, lambda tags: tags if isinstance(tags, list) else []), text, limit)


def known_attribute_names(text: str = "", *, limit: int | None = SUGGESTIONS) -> list[str]:
    """Names of attributes that contain a text.

    Args:
        text: what was typed; "" for any name.
        limit: as for `known_tags`.

    Returns:
        Names: those that begin with it first, then the most frequent.
    """
    return _best(_words_of("attributes", text, lambda attributes: attributes), text, limit)


def known_attribute_values(name: str, text: str = "", *, limit: int | None = SUGGESTIONS) -> list[str]:
    """Values of an attribute that contain a text.

    Args:
        name: of the attribute.
        text: what was typed; "" for any value.
        limit: as for `known_tags`.

    Returns:
        Values, as they are filtered by: those that begin with it first, then the most frequent.
    """

    def values_of(attributes: Any) -> list[str]:
        return attribute_texts(attributes[name]) if isinstance(attributes, dict) and name in attributes else []

    return _best(_words_of("attributes", text, values_of, Q(HasAttribute("attributes", name))), text, limit)


def _words_of(
    column: str, text: str, words: Callable[[Any], Iterable[Any]], condition: Q | None = None
) -> Iterator[str]:
    """Words of the newest products that have the text somewhere in the column."""
    products = Product.objects.order_by("-pk").filter(condition or Q())
    if text:
        products = products.annotate(content=Cast(column, TextField())).filter(_contains(text))
    for content in products.values_list(column, flat=True)[:_PRODUCTS]:
        yield from (word for word in words(content) if isinstance(word, str))


def _contains(text: str) -> Q:
    """The column has the text."""
    # PostgreSQL keeps letters such as ü in JSON; SQLite has them escaped, so that a capital is another text there.
    if connection.vendor == "postgresql":
        return Q(content__icontains=json.dumps(text, ensure_ascii=False)[1:-1])
    spellings = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize()}
    found = Q()
    for spelling in spellings:
        found |= Q(content__icontains=json.dumps(spelling)[1:-1])
    return found


def _best(words: Iterable[str], text: str, limit: int | None) -> list[str]:
    wanted = text.casefold()
    counts = Counter(word for word in words if word and wanted in word.casefold())
    ranked = sorted(counts, key=lambda word: (not word.casefold().startswith(wanted), -counts[word], word))
    return ranked[:limit]
