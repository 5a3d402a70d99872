"""The endpoints of jobs: list them, get one, cancel one. Endpoints that submit a job answer with `accepted_response`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.utils.dateparse import parse_datetime
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import describe_change
from accounts.documenting import WRITES_DISABLED
from accounts.keys import WRITES
from accounts.permissions import check_scopes
from jobs.errors import JobEnded, JobNotFound
from jobs.models import Job
from jobs.problems import JOB_ENDED, JOB_NOT_FOUND
from jobs.registry import kinds
from jobs.selectors import JOBS_PAGE_SIZE, JobListQuery, get_job, job_page, position_of
from jobs.services import cancel
from jobs.states import JobState
from rest.addresses import address_of, api_address
from rest.cursors import Cursor, CursorParameter, page_url
from rest.documenting import problem_example, responses
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import ChoiceParameter, IntegerParameter, NoParameters, Parameters, TextParameter
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView

_MAX_PAGE_SIZE = 100

JOB = {
    "id": "8f9d0f1c-3d1e-4f0e-9f43-3c1a6b0c8f11", "kind": "train", "collection": "all", "state": "queued", "stage": "",
    "progress": None, "done": 0, "total": 0, "result": None, "error": None, "created_at": "2026-11-24T09:30:00Z",
    "started_at": None, "finished_at": None,
}  # fmt: skip
JOB_ID = OpenApiParameter("job_id", UUID, OpenApiParameter.PATH, description="The job's id.")
IMPORT = {**JOB, "kind": "import", "collection": None}
NO_JOB = problem_example(JOB_NOT_FOUND, JobNotFound(f"there is no job {JOB['id']}"), f"/api/jobs/{JOB['id']}")
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
        "rows": 1200, "dry_run": False, "created": 1180, "updated": 12, "unchanged": 7, "rejected": 1, "unknown": 0,
        "photos_added": 2361, "photos_unchanged": 19, "photos_removed": 0, "photos_rejected": 0, "photos_left_out": 0,
        "withdrawn": 0, "not_withdrawn": "", "last_line": 1201, "interrupted": False, "broken_off": False,
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


class JobSchema(serializers.Serializer[Any]):
    """A job and its state."""

    id = serializers.UUIDField()
    kind = serializers.CharField(help_text="train, activate or import.")
    collection = serializers.CharField(
        allow_null=True, help_text="null for an import, which is of the whole catalogue."
    )
    state = serializers.CharField(help_text="queued, running, succeeded, failed or cancelled.")
    stage = serializers.CharField(help_text="Current stage; empty before the job starts.")
    progress = serializers.FloatField(
        allow_null=True, min_value=0, max_value=1, help_text="Progress of the stage, 0 to 1; null if unknown."
    )
    done = serializers.IntegerField(help_text="Steps of this stage that are done.")
    total = serializers.IntegerField(help_text="Total steps of the stage; 0 if unknown.")
    result = serializers.DictField(
        allow_null=True,
        help_text="Once it has succeeded. Of a training or activation: the encoder version and its figures. Of an import: how "
        "many rows were `created`, `updated`, `unchanged`, `rejected` and `unknown` (with `update_only`), what became of the "
        "photos, the first `problems`, and "
        "with `rejected_file` whether `/api/jobs/<id>/rejected` has them all.",
    )
    error = serializers.CharField(allow_null=True, help_text="Reason of the failure and the remedy.")
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)


def as_json(job: Job) -> dict[str, Any]:
    """The JSON object of a job.

    Args:
        job: any job.

    Returns:
        What JobSchema declares.
    """
    stage_progress = min(job.done / job.total, 1.0) if job.total else None
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "collection": job.collection or None,
        "state": job.state,
        "stage": job.stage,
        "progress": 1.0 if job.state == JobState.SUCCEEDED else stage_progress,
        "done": job.done,
        "total": job.total,
        "result": job.result,
        "error": job.error or None,
        "created_at": job.created_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
    }


def accepted_response(request: Request, job: Job) -> Response:
    """The response to a request that has submitted a job.

    Args:
        request: to any endpoint of the API.
        job: the queued job.

    Returns:
        202 with the job, and in `Location` the URL to poll.
    """
    describe_change(request._request, f"job {job.pk}")
    headers = {"Location": f"{api_address(request)}/jobs/{job.pk}"}
    return Response(as_json(job), status=HTTPStatus.ACCEPTED, headers=headers)


def _timestamp(text: str) -> None:
    if (time := parse_datetime(text)) is None or time.tzinfo is None:
        raise ValueError("is no time with its zone")


class JobListParameters(Parameters):
    """The parameters of `GET /api/jobs`: the fields of JobListQuery."""

    kind = ChoiceParameter("Kind of job.", choices=lambda: [kind.name for kind in kinds], example="import")
    state = ChoiceParameter("State of the job.", choices=JobState.values)
    collection = TextParameter("Slug of the collection that the job is for.", max_length=60, example="all")
    page_size = IntegerParameter("Jobs per page.", minimum=1, maximum=_MAX_PAGE_SIZE, default=JOBS_PAGE_SIZE)
    cursor = CursorParameter("From `next` or `previous`.", columns=[_timestamp, UUID])


class JobPageSchema(serializers.Serializer[Any]):
    """A page of jobs."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = JobSchema(many=True)


class JobListView(ApiView):
    """A page of jobs."""

    endpoint = "jobs"
    write_scopes = {"GET": WRITES}

    @extend_schema(
        operation_id="jobs",
        summary="List jobs",
        tags=["Training"],
        parameters=[JobListParameters],
        responses=responses(JobPageSchema, 400, 403),
        examples=[
            OpenApiExample(
                "A page",
                value={"next": None, "previous": None, "results": [_RUNNING, _IMPORTED]},
                response_only=True,
                status_codes=["200"],
            ),
            WRITES_DISABLED,
            problem_example(
                INVALID_PARAMETERS,
                InvalidParameters([ParameterError("page_size", integer_expected(1, _MAX_PAGE_SIZE))]),
                "/api/jobs",
            ),
        ],
    )
    def get(self, request: Request) -> Response:
        """All jobs, newest first, page by page: follow `next`."""
        query = JobListQuery(**JobListParameters.parse(request.query_params))
        page = job_page(query)

        def url(job: Job, *, backwards: bool) -> str:
            return page_url(address_of(request), request.query_params, Cursor(position_of(job), backwards))

        return Response(
            {
                "next": url(page.rows[-1], backwards=False) if page.has_next else None,
                "previous": url(page.rows[0], backwards=True) if page.has_previous else None,
                "results": [as_json(job) for job in page.rows],
            }
        )


class JobView(ApiView):
    """Jobs."""

    endpoint = "job"
    write_scopes = {"GET": WRITES, "DELETE": WRITES}

    @extend_schema(
        operation_id="job",
        summary="Get a job",
        tags=["Training"],
        parameters=[JOB_ID],
        responses=responses(JobSchema, 400, 403, 404),
        examples=[
            OpenApiExample("Running job", value=_RUNNING, response_only=True, status_codes=["200"]),
            OpenApiExample("Finished import", value=_IMPORTED, response_only=True, status_codes=["200"]),
            OpenApiExample("Failed job", value=_FAILED, response_only=True, status_codes=["200"]),
            NO_JOB,
            WRITES_DISABLED,
        ],
    )
    def get(self, request: Request, job_id: UUID) -> Response:
        """One job."""
        NoParameters.parse(request.query_params)
        return Response(as_json(get_job(job_id)))

    @extend_schema(
        operation_id="cancel_job",
        summary="Cancel a job",
        tags=["Training"],
        parameters=[JOB_ID, IDEMPOTENCY_KEY],
        request=None,
        responses=responses(JobSchema, 400, 403, 404, 409, 415, 422),
        examples=[
            OpenApiExample(
                "Cancelled job",
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
        """Cancel a queued or running job. A cancelled training leaves nothing; a cancelled import keeps the rows written."""
        NoParameters.parse(request.query_params)
        scope = get_job(job_id).registered_kind.scope
        check_scopes(request, frozenset({scope}))
        describe_change(request._request, f"job {job_id}")
        return answer_once(request, lambda _: Response(as_json(cancel(job_id))))
