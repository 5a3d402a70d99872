"""The other side of bench/pgvector.py: `similar` by Django and pgvector, with as little as it takes.

One table with all that an answer shows, one statement an answer, connections that stay open, no middleware.
`python -m bench.pgvector` fills the table.
"""

from __future__ import annotations

import os
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from psycopg.conninfo import conninfo_to_dict

from bench import PGVECTOR_TABLE

ROOT_URLCONF = __name__
SECRET_KEY = "only for a bench"  # noqa: S105
ALLOWED_HOSTS = ["127.0.0.1"]
_SERVER = conninfo_to_dict(os.environ["PGVECTOR_URL"])
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _SERVER.get("dbname"),
        "USER": _SERVER.get("user"),
        "PASSWORD": _SERVER.get("password"),
        "HOST": _SERVER.get("host"),
        "PORT": _SERVER.get("port"),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": f"-c hnsw.iterative_scan={os.environ.get('HNSW_ITERATIVE_SCAN', 'off')}"},
    }
}
_COLUMNS = ("id", "sku", "title", "slug", "category", "brand", "price", "available", "photo", "score")
_NEAREST = """
    SELECT id, sku, title, slug, category, brand, price, available, photo,
      1 - (embedding <=> (SELECT embedding FROM {table} WHERE id = %(id)s)) AS score
    FROM {table} WHERE id <> %(id)s {condition}
    ORDER BY embedding <=> (SELECT embedding FROM {table} WHERE id = %(id)s) LIMIT 10
"""
_NEAREST_OF_ALL = _NEAREST.format(table=PGVECTOR_TABLE, condition="")
_NEAREST_OF_CATEGORY = _NEAREST.format(table=PGVECTOR_TABLE, condition="AND category = %(category)s")


def similar(request: HttpRequest, product_id: int) -> JsonResponse:
    """The ten products nearest to one, of a category if one is named."""
    parameters: dict[str, Any] = {"id": product_id, "category": request.GET.get("category")}
    with connection.cursor() as cursor:
        cursor.execute(_NEAREST_OF_CATEGORY if parameters["category"] else _NEAREST_OF_ALL, parameters)
        results = [_result(dict(zip(_COLUMNS, row, strict=True))) for row in cursor.fetchall()]
    return JsonResponse({"product": product_id, "results": results})


def _result(row: dict[str, Any]) -> dict[str, Any]:
    slug, photo = row.pop("slug"), row.pop("photo")
    score = row.pop("score")
    product = {**row, "url": f"http://127.0.0.1/products/{slug}", "image": f"http://127.0.0.1/media/{photo}"}
    return {"product": product, "score": score}


urlpatterns = [path("similar/<int:product_id>", similar)]
