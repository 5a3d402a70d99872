"""Long work: how far it is, what came of it, and its end before its time."""

from __future__ import annotations

import re
from http import HTTPStatus
from uuid import UUID

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import WRITES, Scope
from accounts.permissions import check_scopes
from embeddings import jobs
from embeddings.errors import JobEnded
from embeddings.models import Job
from jobs.problems import JOB_ENDED
from recommender.api import serializers
from recommender.api.documenting import IMPORT, JOB, JOB_ID, NO_JOB
from rest.documenting import problem_example, responses
from rest.parameters import NoParameters
from rest.views import ApiView

_API = re.compile(r".*?/api(?:/v1)?(?=/)")

_RUNNING = {
    **JOB,
    "state": "running",
    "stage": "training",
    "progress": 0.4,
    "done": 8,
    "total": 20,
    "started_at": "2026-11-24T09:30:01Z",
}
_IMPORTED = {
    **IMPORT,
    "state": "succeeded",
    "stage": "importing",
    "progress": 1.0,
    "done": 1200,
    "total": 1200,
    "result": {
        "rows": 1200, "dry_run": False, "created": 1180, "updated": 12, "unchanged": 7, "rejected": 1, "photos_added": 2361,
        "photos_unchanged": 19, "photos_removed": 0, "photos_rejected": 0, "photos_left_out": 0, "withdrawn": 0,
        "not_withdrawn": "", "last_line": 1201, "interrupted": False, "broken_off": False,
        "problems": [{"line": 7, "sku": "m5", "reason": "the title is empty", "photo": ""}], "rejected_file": True,
    },
    "started_at": "2026-11-24T09:30:01Z",
    "finished_at": "2026-11-24T09:31:12Z",
}  # fmt: skip
_FAILED = {
    **JOB,
    "state": "failed",
    "error": "its process was killed (SIGKILL): most likely the machine has too little memory for it",
    "started_at": "2026-11-24T09:30:01Z",
    "finished_at": "2026-11-24T09:41:12Z",
}


def accepted(request: Request, job: Job) -> Response:
    """The answer to whoever asked for work: the job, and where to ask how far it is."""
    base = _API.match(request.path)
    headers = {"Location": f"{base[0] if base else ''}/jobs/{job.pk}"}
    return Response(serializers.job(job), status=HTTPStatus.ACCEPTED, headers=headers)


class JobView(ApiView):
    """Long work."""

    endpoint = "job"
    write_scopes = {"GET": WRITES, "DELETE": WRITES}

    @extend_schema(
        operation_id="job",
        summary="How far a job is, and what came of it",
        tags=["Training"],
        parameters=[JOB_ID],
        responses=responses(serializers.JobSchema, 400, 403, 404),
        examples=[
            OpenApiExample("A job under way", value=_RUNNING, response_only=True, status_codes=["200"]),
            OpenApiExample("An import that has ended", value=_IMPORTED, response_only=True, status_codes=["200"]),
            OpenApiExample("A job that failed", value=_FAILED, response_only=True, status_codes=["200"]),
            NO_JOB,
            WRITES_DISABLED,
        ],
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        NoParameters.parse(request.query_params)
        return Response(serializers.job(jobs.get_job(job_id)))

    @extend_schema(
        operation_id="cancel_job",
        summary="Cancel a job",
        tags=["Training"],
        parameters=[JOB_ID],
        request=None,
        responses=responses(serializers.JobSchema, 400, 403, 404, 409),
        examples=[
            OpenApiExample(
                "A cancelled job",
                value={**JOB, "state": "cancelled", "finished_at": "2026-11-24T09:30:20Z"},
                response_only=True,
                status_codes=["200"],
            ),
            WRITES_DISABLED,
            NO_JOB,
            problem_example(
                JOB_ENDED, JobEnded(f"job {JOB['id']} has ended already: it succeeded"), f"/api/jobs/{JOB['id']}"
            ),
        ],
    )
    def delete(self, request: Request, job_id: UUID) -> Response:
        """End a job that waits or is under way. Of a training nothing is kept; an import ends behind the rows in hand."""
        NoParameters.parse(request.query_params)
        is_import = jobs.get_job(job_id).kind == Job.Kind.IMPORT
        check_scopes(request, frozenset({Scope.IMPORT if is_import else Scope.TRAIN}))
        return Response(serializers.job(jobs.cancel(job_id)))
