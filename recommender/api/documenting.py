"""Jobs as parameters and examples in the API's documentation."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter

from embeddings.errors import JobNotFound
from jobs.problems import JOB_NOT_FOUND
from rest.documenting import problem_example

JOB = {
    "id": "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11", "kind": "train", "collection": "all", "state": "queued", "stage": "",
    "progress": None, "done": 0, "total": 0, "result": None, "error": None, "created_at": "2026-11-24T09:30:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
JOB_ID = OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="The job's id.")
IMPORT = {**JOB, "kind": "import", "collection": None}
NO_JOB = problem_example(JOB_NOT_FOUND, JobNotFound(f"there is no job {JOB['id']}"), f"/api/jobs/{JOB['id']}")
