"""Reads of every recommendation, in hand-written SQL: building a query by the ORM takes longer than running it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from django.db import connection

from catalog.models import Product, ProductImage
from embeddings.models import ImageEmbedding, joined_vectors
from embeddings.parts.layout import Layout
from embeddings.selectors import LiveCollection
from embeddings.vector_index.base import Vector

# Gives vectors by photo, of those that are embedded.
ReadVectors = Callable[[Collection[int]], Mapping[int, Vector]]

_IDS_A_STATEMENT = 500

_NAMES = {
    "product": Product._meta.db_table,
    "image": ProductImage._meta.db_table,
    "embedding": ImageEmbedding._meta.db_table,
    # The vector of a row in these states is of a photo that was replaced or removed.
    "unusable_states": ", ".join(
        f"'{state}'" for state in (ImageEmbedding.State.PENDING, ImageEmbedding.State.REMOVED)
    ),
    "compared": ", ".join(f"'{role}'" for role in ProductImage.COMPARED),
}
# Not a join: SQLite would start from all vectors of the version.
_VECTORS_SQL = """
    SELECT image_id, vector, parts FROM {embedding}
    WHERE version_id = %s AND image_id IN (SELECT id FROM {image} WHERE product_id = %s)
    AND vector IS NOT NULL AND state NOT IN ({unusable_states})
""".format(**_NAMES)
_VECTORS_OF_IMAGES_SQL = """
    SELECT image_id, vector, parts FROM {embedding} WHERE version_id = %s AND vector IS NOT NULL AND image_id IN
""".format(**_NAMES)
_EXCLUDED_SQL = """
    SELECT other.product_id AS id FROM {image} other WHERE other.sha256 = (
        SELECT own.sha256 FROM {image} own WHERE own.product_id = %s AND own.role IN ({compared})
        ORDER BY own.position, own.id LIMIT 1
    ) AND other.role IN ({compared}) AND NOT EXISTS (
        SELECT 1 FROM {image} earlier WHERE earlier.product_id = other.product_id AND earlier.role IN ({compared})
        AND (earlier.position < other.position OR (earlier.position = other.position AND earlier.id < other.id))
    )
    UNION SELECT main.variant_of_id FROM {product} main WHERE main.id = %s AND main.variant_of_id IS NOT NULL
    UNION SELECT variant.id FROM {product} variant
    WHERE variant.variant_of_id = (SELECT COALESCE(own.variant_of_id, own.id) FROM {product} own WHERE own.id = %s)
    AND variant.id <> %s
""".format(**_NAMES)
# Both at once, each with what it is.
_BESIDE_SQL = f"""
    SELECT id, NULL, NULL, 1 FROM ({_EXCLUDED_SQL}) excluded
    UNION ALL SELECT image_id, vector, parts, 0 FROM ({_VECTORS_SQL}) vectors
"""


def vectors_of(live: LiveCollection, product_id: int) -> dict[int, Vector]:
    """Read the vectors of a product's embedded photos.

    Args:
        live: the collection with the encoder version.
        product_id: the product.

    Returns:
        float32 [live.layout.dim] by photo, as the index has them, of those that are embedded.
    """
    return _vectors(live.layout, _rows(_VECTORS_SQL, [live.version_id, product_id]))


def vectors_of_images(live: LiveCollection, image_ids: Collection[int]) -> dict[int, Vector]:
    """Read the vectors of photos.

    Args:
        live: the collection with the encoder version.
        image_ids: the photos; one at least.

    Returns:
        float32 [live.layout.dim] by photo, as the index has them, of those that are embedded.
    """
    vectors: dict[int, Vector] = {}
    ids = [*image_ids]
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        some = ids[start : start + _IDS_A_STATEMENT]
        rows = _rows(f"{_VECTORS_OF_IMAGES_SQL} ({', '.join(['%s'] * len(some))})", [live.version_id, *some])
        vectors |= _vectors(live.layout, rows)
    return vectors


def beside(live: LiveCollection, product_id: int) -> tuple[dict[int, Vector], set[int]]:
    """Read what a query beside a product starts from: its vectors, and the products that are never recommended beside it.

    Those are the products with the same file as main photo, the first of those that are compared, and its family of variants.

    Args:
        live: the collection with the encoder version.
        product_id: the product.

    Returns:
        As `vectors_of`; and ids of products, without its own.
    """
    excluded: set[int] = set()
    rows: list[tuple[int, bytes, bytes | None]] = []
    for key, vector, parts, is_excluded in _rows(_BESIDE_SQL, [product_id] * 4 + [live.version_id, product_id]):
        if is_excluded:
            excluded.add(key)
        else:
            rows.append((key, vector, parts))
    return _vectors(live.layout, rows), excluded - {product_id}


def _vectors(layout: Layout, rows: Sequence[tuple[int, bytes, bytes | None]]) -> dict[int, Vector]:
    if not rows:
        return {}
    matrix = joined_vectors(layout, [(vector, parts) for _, vector, parts in rows])
    return {image_id: vector for (image_id, _, _), vector in zip(rows, matrix, strict=True)}


def _rows(sql: str, params: list[int]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
