"""The reads of every recommendation, in hand-written SQL: building a query by the ORM takes longer than running it."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from django.db import connection

from catalog.models import Category, Product, ProductImage
from catalog.selectors import ProductCard
from embeddings.models import ImageEmbedding, vector_from_bytes
from embeddings.vector_index.base import Vector

_TABLES = {
    "product": Product._meta.db_table,
    "image": ProductImage._meta.db_table,
    "category": Category._meta.db_table,
    "embedding": ImageEmbedding._meta.db_table,
    # A vector of these states is of a photo that was exchanged, or is about to go.
    "stale": ", ".join(f"'{state}'" for state in (ImageEmbedding.State.PENDING, ImageEmbedding.State.REMOVED)),
}
# Not a join: SQLite would start from all vectors of the version.
_VECTORS = """
    SELECT vector FROM {embedding} WHERE version_id = %s AND image_id IN (SELECT id FROM {image} WHERE product_id = %s)
    AND vector IS NOT NULL AND state NOT IN ({stale})
""".format(**_TABLES)
_TWINS = """
    SELECT twin.product_id FROM {image} own JOIN {image} twin ON twin.sha256 = own.sha256
    WHERE own.product_id = %s AND twin.product_id <> own.product_id
    UNION SELECT main.variant_of_id FROM {product} main WHERE main.id = %s AND main.variant_of_id IS NOT NULL
    UNION SELECT variant.id FROM {product} variant
    WHERE variant.variant_of_id = (SELECT COALESCE(own.variant_of_id, own.id) FROM {product} own WHERE own.id = %s)
    AND variant.id <> %s
""".format(**_TABLES)
_CARD = """
    p.id, p.sku, p.slug, p.title, c.path, p.brand, p.price, p.currency, p.available,
    (SELECT i.file FROM {image} i WHERE i.product_id = p.id ORDER BY i.position, i.id LIMIT 1),
    COALESCE(p.variant_of_id, p.id)
""".format(**_TABLES)
_SHOWN = """
    FROM {product} p LEFT JOIN {category} c ON c.id = p.category_id
    WHERE p.active AND p.id IN
""".format(**_TABLES)


def vectors_of(version_id: int, product_id: int) -> list[Vector]:
    """The vectors, float32 [dim] each, of the product's embedded photos."""
    return [vector_from_bytes(vector) for (vector,) in _rows(_VECTORS, [version_id, product_id])]


def twins_of(product_id: int) -> set[int]:
    """Other products that have a photo byte-identical with one of this product's, or are of its family of variants."""
    return {twin for (twin,) in _rows(_TWINS, [product_id] * 4)}


def cards_of(product_ids: Collection[int]) -> dict[int, ProductCard]:
    """The cards of those of these products that may be shown."""
    if not product_ids:
        return {}
    return {
        id_: ProductCard(
            id_, sku, slug, title, path or "", brand, _decimal(price), currency, bool(available), image or "", family
        )
        for id_, sku, slug, title, path, brand, price, currency, available, image, family in _card_rows([*product_ids])
    }


def _card_rows(product_ids: list[int]) -> list[Any]:
    shown = f"{_SHOWN} ({', '.join(['%s'] * len(product_ids))})"
    if connection.vendor == "sqlite":
        # SQLite's driver lets go of the interpreter for every row, and on a busy server waits to get it back each time.
        rows: list[Any] = json.loads(_rows(f"SELECT json_group_array(json_array({_CARD})) {shown}", product_ids)[0][0])
        return rows
    return _rows(f"SELECT {_CARD} {shown}", product_ids)


def _rows(sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _decimal(price: Any) -> Decimal | None:
    """SQLite has no decimals: its driver gives a float or an int."""
    return price if price is None or isinstance(price, Decimal) else Decimal(f"{price:.2f}")
