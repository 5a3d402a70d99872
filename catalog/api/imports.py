"""The endpoints of imports: submit a catalogue, import the file of a dry run, get the rejected rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api.parameters import ImportParameters
from catalog.errors import NoRejectedRows
from catalog.importers.run import ImportOptions
from catalog.importers.submission import (
    check_import_allowed,
    open_rejected,
    submit_dry_run_import,
    submit_import,
)
from catalog.problems import INVALID_CATALOGUE, NO_REJECTED_ROWS
from jobs import uploads
from jobs.api import IMPORT, JOB_ID, NO_JOB, JobSchema, accepted_response
from jobs.errors import JobInProgress, UploadTooLarge
from jobs.models import Job
from jobs.problems import JOB_IN_PROGRESS
from jobs.selectors import get_job
from jobs.uploading import UploadView, file_errors
from product_files import file_facts
from product_files.rows import InvalidSource
from rest.documenting import RAW_BODY, form_body, problem_example, problem_responses, responses
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import NoParameters
from rest.problems import TOO_LARGE
from rest.views import ApiView

_IMPORTS = "/api/imports"
_IMPORT_RUNNING = problem_example(
    JOB_IN_PROGRESS, JobInProgress("an import is under way: wait until it has ended, or cancel it"), _IMPORTS
)
_BODIES = (
    "text/csv",
    "text/tab-separated-values",
    "application/xml",
    "application/jsonl",
    "application/x-ndjson",
    "application/zip",
    "application/gzip",
)


def _too_large(limit: int) -> UploadTooLarge:
    return UploadTooLarge(limit, "send its products in several files")


class ImportsView(UploadView):
    """Submits imports."""

    endpoint = "imports"
    part = "file"
    parameters = ImportParameters
    write_scopes = {"POST": frozenset({Scope.IMPORT})}
    parser_classes: Sequence[type[BaseParser]] = [
        MultiPartParser,
        uploads.CsvParser,
        uploads.TsvParser,
        uploads.XmlParser,
        uploads.JsonLinesParser,
        uploads.NdjsonParser,
        uploads.ZipParser,
        uploads.GzipParser,
    ]

    def upload_limit(self) -> uploads.Limit:
        return uploads.Limit(settings.IMPORT_MAX_BYTES, _too_large)

    @extend_schema(
        operation_id="import",
        summary="Import a catalogue",
        tags=["Imports"],
        parameters=[ImportParameters, IDEMPOTENCY_KEY],
        request={
            **form_body(
                part,
                "A table (CSV, Google Merchant TSV, Shopify export), a feed in XML, a file with a JSON object a line, one of these"
                " packed with gzip, or a zip of one of these with its photos, or of photos alone.",
                ImportParameters.form_schema(),
            ),
            **dict.fromkeys(_BODIES, RAW_BODY),
        },
        responses=responses(JobSchema, 400, 403, 409, 413, 415, 422, 503, 507, status=202),
        examples=[
            OpenApiExample("Queued import", value=IMPORT, response_only=True, status_codes=["202"]),
            problem_example(
                INVALID_CATALOGUE,
                InvalidSource(file_facts.FIELD_WITHOUT_COLUMN(field="sku", columns="ArtNo, Name, Preis")),
                _IMPORTS,
            ),
            WRITES_DISABLED,
            _IMPORT_RUNNING,
            problem_example(TOO_LARGE, _too_large(2 * 1024**3), _IMPORTS),
        ],
    )
    def post(self, request: Request) -> Response:
        """Import products and their photos from a table, a feed or a zip. The response is a job.

        Send the file as the only file of a form, `file`, or as the request body. Parameters may be given in the query string or
        in the form. Products are identified by SKU; importing the same file again changes nothing. With `dry_run` nothing is
        written, and `POST /api/jobs/<id>/import` imports the same file afterwards. Poll the URL in `Location` for progress and
        the result. One import runs at a time.
        """
        return self.submitted(request, check_allowed=check_import_allowed, read=_read, submit=_submit)


def _read(request: Request) -> tuple[UploadedFile[Any], ImportOptions]:
    name = ImportsView.part
    errors = file_errors(request, name, "a catalogue", "pack a table and its photos into one zip")
    options = ImportOptions(**ImportParameters.parse(request.query_params, request.POST, errors=errors))
    return request.FILES[name], options


def _submit(sent: tuple[UploadedFile[Any], ImportOptions]) -> Job:
    file, options = sent
    return submit_import(cast("BinaryIO", file), options, file_name=file.name or "")


class DryRunImportView(ApiView):
    """Imports the file of a dry run."""

    endpoint = "import_of"
    write_scopes = {"POST": frozenset({Scope.IMPORT})}

    @extend_schema(
        operation_id="import_of_dry_run",
        summary="Import the file of a dry run",
        tags=["Imports"],
        parameters=[JOB_ID, IDEMPOTENCY_KEY],
        request=None,
        responses=responses(JobSchema, 400, 403, 404, 409, 415, 422, status=202),
        examples=[
            OpenApiExample("Queued import", value=IMPORT, response_only=True, status_codes=["202"]),
            WRITES_DISABLED,
            NO_JOB,
            _IMPORT_RUNNING,
        ],
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """Import the file of a dry run with the same options. The response is a new job."""
        NoParameters.parse(request.query_params)
        return answer_once(request, lambda _: accepted_response(request, submit_dry_run_import(job_id)))


class RejectedRowsView(ApiView):
    """The rejected rows of an import. They may show what visitors may not see, so they need the scope of an import."""

    endpoint = "rejected"
    write_scopes = {"GET": frozenset({Scope.IMPORT})}

    @extend_schema(
        operation_id="rejected_rows",
        summary="Get the rejected rows of an import",
        tags=["Imports"],
        parameters=[JOB_ID],
        responses={(200, "text/csv"): str} | problem_responses(400, 403, 404),
        examples=[
            OpenApiExample(
                "Rejected rows of a table",
                value="line,sku,photo,reason,sku,title,price\r\n7,m5,,the title is empty,m5,,8.90\r\n",
                response_only=True,
                status_codes=["200"],
                media_type="text/csv",
            ),
            WRITES_DISABLED,
            problem_example(
                NO_REJECTED_ROWS,
                NoRejectedRows(
                    f"job {IMPORT['id']} has no file of rejected rows: nothing was rejected, it is no import that has"
                    " succeeded, or it ended more than 30 days ago"
                ),
                f"/api/jobs/{IMPORT['id']}/rejected",
            ),
        ],
    )
    def get(self, request: Request, job_id: UUID) -> FileResponse:
        """Every row that was rejected or lost a photo, as CSV: line, sku, photo, reason, and the columns of the table.

        Corrected in place, the file can be imported as it is: the leading columns are ignored. A cell that a spreadsheet would
        take for a formula begins with an apostrophe, which an import removes.
        """
        NoParameters.parse(request.query_params)
        return FileResponse(
            open_rejected(get_job(job_id)),
            as_attachment=True,
            filename=f"rejected-{job_id}.csv",
            content_type="text/csv; charset=utf-8",
        )
