"""The examples in the OpenAPI documentation that several endpoints share."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter

from catalog.errors import ProductNotFound
from embeddings.errors import IndexUnavailable, JobNotFound
from jobs.problems import JOB_NOT_FOUND
from recommender.api.parameters import MAX_LIMIT
from recommender.problems import INDEX_UNAVAILABLE, PRODUCT_NOT_FOUND
from rest.documenting import problem_example
from rest.errors import InvalidParameters, ParameterError
from rest.parameters import integer_expected
from rest.problems import INVALID_PARAMETERS

CARD = {
    "id": 17, "sku": "MUG-017", "title": "Blue enamel mug", "category": "kitchen/mugs", "brand": "Harbour",
    "price": "14.50", "currency": "EUR", "available": True, "image": "/media/products/3f/3f0c.jpg",
    "thumbnails": {
        "320": "/thumbs/320/products/3f/3f0c.jpg.webp", "640": "/thumbs/640/products/3f/3f0c.jpg.webp"
    },
    "url": "/products/17/blue-enamel-mug/",
}  # fmt: skip
RESULTS = [{"product": CARD, "score": 0.912345, "confidence": 0.9731}]
BAD_LIMIT = problem_example(
    INVALID_PARAMETERS,
    InvalidParameters([ParameterError("limit", integer_expected(1, MAX_LIMIT))]),
    "/api/products/4/similar",
)
NO_PRODUCT = problem_example(PRODUCT_NOT_FOUND, ProductNotFound(4), "/api/products/4")
INDEX_AWAY = problem_example(
    INDEX_UNAVAILABLE, IndexUnavailable("the index is held by another process"), "/api/products/4/similar"
)
JOB = {
    "id": "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11", "kind": "train", "collection": "all", "state": "queued", "stage": "",
    "progress": None, "done": 0, "total": 0, "result": None, "error": None, "created_at": "2026-11-24T09:30:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
JOB_ID = OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="The job's id.")
IMPORT = {**JOB, "kind": "import", "collection": None}
NO_JOB = problem_example(JOB_NOT_FOUND, JobNotFound(f"there is no job {JOB['id']}"), f"/api/jobs/{JOB['id']}")
