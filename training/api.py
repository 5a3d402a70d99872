"""The endpoint of trainings: submit an archive of photos, which becomes a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.problems import ARCHIVE_REJECTED, ARCHIVE_TOO_LARGE
from embeddings.errors import UnusablePhotos
from jobs import uploads
from jobs.api import JOB, JobSchema
from jobs.errors import JobInProgress
from jobs.problems import JOB_IN_PROGRESS
from jobs.uploading import UploadView, file_errors
from product_files.containers.archives import ArchiveRejected, ArchiveRejectionReason
from rest.documenting import RAW_BODY, form_body, problem_example, responses
from rest.idempotency import IDEMPOTENCY_KEY
from training.errors import TrainingUnavailable
from training.parameters import TrainingParameters
from training.problems import TRAINING_UNAVAILABLE, UNSUITABLE_PHOTOS
from training.submissions import archive_too_large, check_training_allowed, submit_training

_TRAIN = "/api/collections/all/train"


class TrainView(UploadView):
    """Submits trainings."""

    endpoint = "train"
    part = "archive"
    parameters = TrainingParameters
    write_scopes = {"POST": frozenset({Scope.TRAIN})}
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser, uploads.ZipParser]

    def upload_limit(self) -> uploads.Limit:
        return uploads.Limit(settings.TRAIN_ARCHIVE_MAX_BYTES, archive_too_large)

    @extend_schema(
        operation_id="train",
        summary="Train an encoder on a zip of photos",
        tags=["Training"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            TrainingParameters,
            IDEMPOTENCY_KEY,
        ],
        request={
            **form_body(
                part,
                "A zip with a folder of photos for each class, and optionally metadata.csv.",
                TrainingParameters.form_schema(),
            ),
            "application/zip": RAW_BODY,
        },
        responses=responses(JobSchema, 400, 403, 404, 409, 413, 415, 422, 503, 507, status=202),
        examples=[
            OpenApiExample("Queued training", value=JOB, response_only=True, status_codes=["202"]),
            problem_example(
                ARCHIVE_REJECTED,
                ArchiveRejected(
                    ArchiveRejectionReason.DAMAGED,
                    "the archive is damaged: its end is missing or cannot be read (File is not a zip file);"
                    " pack it again, and send all of it",
                ),
                _TRAIN,
            ),
            WRITES_DISABLED,
            problem_example(
                JOB_IN_PROGRESS,
                JobInProgress("a training for 'all' is under way: wait until it has ended, or cancel it"),
                _TRAIN,
            ),
            problem_example(ARCHIVE_TOO_LARGE, archive_too_large(2 * 1024**3), _TRAIN),
            problem_example(
                UNSUITABLE_PHOTOS,
                UnusablePhotos(
                    "at least 2 folders with 2 photos each are needed, and 1 of 1 are so: a folder is a class, and its JPEG,"
                    " PNG and WebP files are its photos"
                ),
                _TRAIN,
            ),
            problem_example(
                TRAINING_UNAVAILABLE,
                TrainingUnavailable(
                    "TensorFlow is not installed here: install the extra `train` (make setup), or name a broker whose"
                    " workers have it (CELERY_BROKER_URL)"
                ),
                _TRAIN,
            ),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Train a new encoder version of the collection on an archive of photos. The response is a job.

        The archive is a zip: each folder is a class, and its JPEG, PNG and WebP files are the photos. A `metadata.csv` beside
        the folders may specify which photos show the same product (columns `file` and `product_id`). Send the archive as the
        only file of a form, `archive`, or as the request body (`application/zip`). Parameters may be given in the query string or
        in the form. Poll the URL in `Location` for progress and the result.
        """
        return self.submitted(
            request,
            check_allowed=lambda: check_training_allowed(slug),
            read=_read,
            submit=lambda sent: submit_training(slug, *sent),
        )


def _read(request: Request) -> tuple[BinaryIO, dict[str, Any]]:
    name = TrainView.part
    errors = file_errors(request, name, "a zip", "put all photos into one zip")
    values = TrainingParameters.parse(request.query_params, request.POST, errors=errors)
    return cast("BinaryIO", request.FILES[name]), values
