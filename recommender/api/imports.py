"""Catalogues come in by a request, and become a job; what could not be taken can be fetched, mended and sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast
from uuid import UUID

from django.http import FileResponse
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api.parameters import ImportParameters
from catalog.importers.rows import UnusableSource
from catalog.importers.run import ImportOptions
from catalog.problems import INVALID_CATALOGUE, NO_REJECTED_ROWS
from embeddings import jobs
from embeddings.errors import JobUnderWay, NoRejectedRows
from embeddings.submissions import expect_import, submit_import, submit_import_of
from jobs import uploads
from jobs.errors import UploadTooLarge
from jobs.problems import JOB_IN_PROGRESS
from recommender.api import serializers
from recommender.api.documenting import (
    IMPORT,
    JOB_ID,
    NO_JOB,
)
from recommender.api.jobs import accepted
from recommender.api.uploading import UploadView, errors_of_one, files_of, let_go, of_catalogues
from rest.documenting import RAW_BODY, form_body, problem_example, problem_responses, responses
from rest.parameters import NoParameters
from rest.problems import TOO_LARGE
from rest.views import FORM_BYTES, ApiView, content_length

_IMPORTS = "/api/imports"
_UNDER_WAY = problem_example(
    JOB_IN_PROGRESS, JobUnderWay("an import is under way: wait until it has ended, or cancel it"), _IMPORTS
)
_BODIES = (
    "text/csv",
    "text/tab-separated-values",
    "application/xml",
    "application/jsonl",
    "application/x-ndjson",
    "application/zip",
)


class ImportsView(UploadView):
    """Takes catalogues."""

    endpoint = "imports"
    write_scopes = {"POST": frozenset({Scope.IMPORT})}
    parser_classes: Sequence[type[BaseParser]] = [
        MultiPartParser,
        uploads.CsvParser,
        uploads.TsvParser,
        uploads.XmlParser,
        uploads.JsonLinesParser,
        uploads.NdjsonParser,
        uploads.ZipParser,
    ]

    def upload_limit(self) -> uploads.Limit:
        return of_catalogues()

    @extend_schema(
        operation_id="import",
        summary="Import a catalogue",
        tags=["Imports"],
        parameters=[ImportParameters],
        request={
            **form_body(
                "file",
                "A table (CSV, Google Merchant TSV, Shopify export), a feed in XML, a file with a JSON object a line, or a zip"
                " of one of these with its photos, or of photos alone.",
                ImportParameters.form_schema(),
            ),
            **dict.fromkeys(_BODIES, RAW_BODY),
        },
        responses=responses(serializers.JobSchema, 400, 403, 409, 413, 415, 503, 507, status=202),
        examples=[
            OpenApiExample("An import that waits", value=IMPORT, response_only=True, status_codes=["202"]),
            problem_example(
                INVALID_CATALOGUE,
                UnusableSource(
                    "no column gives the sku: name one (--map sku=COLUMN, or a mapping file)."
                    " Columns found: ArtNo, Name, Preis"
                ),
                _IMPORTS,
            ),
            WRITES_DISABLED,
            _UNDER_WAY,
            problem_example(TOO_LARGE, UploadTooLarge(2 * 1024**3), _IMPORTS),
        ],
    )
    def post(self, request: Request) -> Response:
        """Products and their photos from a table, a feed or a zip. Answers at once with a job.

        The file comes as the one file of a form, or as the body itself. Parameters may come in the address or in the form.
        Products are known by their sku: the same file again changes nothing. With `dry_run` nothing is written, and
        `POST /api/jobs/<id>/import` imports the same file afterwards. Ask the address in `Location` how far the import is, and
        what came of it. One import at a time.
        """
        self.upload_limit().refuse(content_length(request), allowance=FORM_BYTES)
        expect_import()
        try:
            files = files_of(request)
            errors = errors_of_one("file", files, "a catalogue", "pack a table and its photos into one zip")
            options = ImportOptions(**ImportParameters.parse(request.query_params, request.POST, errors=errors))
            job = submit_import(cast("BinaryIO", files[0]), options, file_name=files[0].name or "")
        finally:
            let_go(request)
        return accepted(request, job)


class ImportOfView(ApiView):
    """Imports what a dry run has read."""

    endpoint = "import_of"
    write_scopes = {"POST": frozenset({Scope.IMPORT})}

    @extend_schema(
        operation_id="import_of_dry_run",
        summary="Import what a dry run has read",
        tags=["Imports"],
        parameters=[JOB_ID],
        request=None,
        responses=responses(serializers.JobSchema, 400, 403, 404, 409, status=202),
        examples=[
            OpenApiExample("An import that waits", value=IMPORT, response_only=True, status_codes=["202"]),
            WRITES_DISABLED,
            NO_JOB,
            _UNDER_WAY,
        ],
    )
    def post(self, request: Request, job_id: UUID) -> Response:
        """The same file with the same options, and this time it is written. Answers at once with a job of its own."""
        NoParameters.parse(request.query_params)
        return accepted(request, submit_import_of(job_id))


class RejectedView(ApiView):
    """What an import could not take. It may say of products what no visitor is to know, so it is guarded like the import."""

    endpoint = "rejected"
    write_scopes = {"GET": frozenset({Scope.IMPORT})}

    @extend_schema(
        operation_id="rejected_rows",
        summary="What an import could not take",
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
        """Every row that was rejected or lost a photo, as CSV: line, sku, photo, reason, and what stood in the table.

        Mended in place, the file can be sent as it is: the columns in front are passed over. A cell that a spreadsheet would
        take for a formula begins with an apostrophe, which an import takes away again.
        """
        NoParameters.parse(request.query_params)
        path = jobs.rejected_file(jobs.get_job(job_id))
        return FileResponse(
            path.open("rb"),
            as_attachment=True,
            filename=f"rejected-{job_id}.csv",
            content_type="text/csv; charset=utf-8",
        )
