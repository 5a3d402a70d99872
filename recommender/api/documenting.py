"""How the API's documentation is written, and the examples that several endpoints share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from recommender import serializers
from recommender.params import Param
from recommender.problems import CONTENT_TYPE

# A body that is the file itself.
WHOLE_BODY = {"type": "string", "format": "binary", "minLength": 1}


def documented(parameters: Sequence[Param]) -> list[OpenApiParameter]:
    """The parameters as OpenAPI has them."""
    return [
        OpenApiParameter(
            param.name,
            dict(param.schema),
            description=param.description,
            examples=[OpenApiExample(param.name, value=param.example)] if param.example is not None else [],
        )
        for param in parameters
    ]


def form(file: str, description: str, parameters: Sequence[Param]) -> dict[str, Any]:
    """A form with one file, of this name, and with parameters; as the body that a request may have."""
    return {
        "multipart/form-data": {
            "type": "object",
            "properties": {
                file: {"type": "string", "format": "binary", "description": description},
                **{param.name: {**param.schema, "description": param.description} for param in parameters},
            },
            "required": [file],
            "additionalProperties": False,
        }
    }


def problem(status: int, slug: str, title: str, detail: str, instance: str, **extra: Any) -> OpenApiExample:
    """An example of a problem detail; slug: "" where the status says it all."""
    problem_type = f"urn:problem-type:lookalike:{slug}" if slug else "about:blank"
    value = {"type": problem_type, "title": title, "status": status, "detail": detail, "instance": instance, **extra}
    name = slug.replace("-", " ").capitalize() or title
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)], media_type=CONTENT_TYPE)


def responses(answer: Any, *problems: int, status: int = 200) -> dict[tuple[int, str], Any]:
    """The answer, and the problems with these statuses beside those that any request may meet."""
    return {(status, "application/json"): answer} | problems_with(*problems)


def problems_with(*statuses: int) -> dict[tuple[int, str], Any]:
    """The problems with these statuses, beside those that any request may meet: of its key, and of too many requests."""
    return {(status, CONTENT_TYPE): serializers.ProblemSchema for status in sorted({*statuses, 401, 403, 429})}


CARD = {
    "id": 17, "sku": "MUG-017", "title": "Blue enamel mug", "category": "kitchen/mugs", "brand": "Harbour",
    "price": "14.50", "currency": "EUR", "available": True, "image": "/media/products/3f/3f0c.jpg",
    "thumbnails": {
        "320": "/thumbs/320/products/3f/3f0c.jpg.webp", "640": "/thumbs/640/products/3f/3f0c.jpg.webp"
    },
    "url": "/products/17/blue-enamel-mug/",
}  # fmt: skip
RESULTS = [{"product": CARD, "score": 0.912345, "confidence": 0.9731}]
BAD_LIMIT = problem(
    400, "invalid-parameters", "Some parameters cannot be used", "See `errors` for what is wrong with each parameter.",
    "/api/products/4/similar", errors=[{"parameter": "limit", "detail": "is not a whole number from 1 to 100"}],
)  # fmt: skip
NO_PRODUCT = problem(
    404,
    "product-not-found",
    "There is no such product",
    "There is no product 4, or it is not shown any more",
    "/api/products/4",
)
INDEX_AWAY = problem(
    503,
    "index-unavailable",
    "The vector index does not answer",
    "The index is held by another process",
    "/api/products/4/similar",
)
JOB = {
    "id": "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11", "kind": "train", "collection": "all", "state": "queued", "stage": "",
    "progress": None, "done": 0, "total": 0, "result": None, "error": None, "created_at": "2026-11-24T09:30:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
JOB_ID = OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="The job's id.")
IMPORT = {**JOB, "kind": "import", "collection": None}
NO_JOB = problem(404, "job-not-found", "There is no such job", f"There is no job {JOB['id']}", f"/api/jobs/{JOB['id']}")
WRITES_DISABLED = problem(
    403, "writes-disabled", "Writing is switched off",
    "Imports and trainings by the API are switched off here: use the admin, or run manage.py import_catalog or manage.py train, or"
    " set API_WRITES=keys and make a secret key", "/api/imports",
)  # fmt: skip
