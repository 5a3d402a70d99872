"""Training sets come in by a request, and become a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, cast

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.keys import Scope
from embeddings.submissions import expect_training, submit_training
from jobs import uploads
from recommender import params, serializers
from recommender.api.base import FORM_BYTES, announced_bytes
from recommender.api.documenting import JOB, WHOLE_BODY, WRITES_DISABLED, documented, form, problem, responses
from recommender.api.jobs import accepted
from recommender.api.uploading import UploadView, errors_of_one, files_of, let_go, of_archives

_TRAIN = "/api/collections/all/train"


class TrainView(UploadView):
    """Takes training sets."""

    endpoint = "train"
    write_scopes = {"POST": frozenset({Scope.TRAIN})}
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser, uploads.ZipParser]

    def upload_limit(self) -> uploads.Limit:
        return of_archives()

    @extend_schema(
        operation_id="train",
        summary="Train an encoder on a zip of photos",
        tags=["Training"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            *documented(params.TRAINING),
        ],
        request={
            **form(
                "archive", "A zip with a folder of photos for each class, and metadata.csv if there is one.", params.TRAINING
            ),
            "application/zip": WHOLE_BODY,
        },
        responses=responses(serializers.JobSchema, 400, 403, 404, 409, 413, 415, 422, 503, 507, status=202),
        examples=[
            OpenApiExample("A job that waits", value=JOB, response_only=True, status_codes=["202"]),
            problem(
                400, "archive-rejected", "The archive cannot be used",
                "The archive is damaged: its end is missing or cannot be read (File is not a zip file);"
                " pack it again, and send all of it", _TRAIN, reason="damaged",
            ),
            WRITES_DISABLED,
            problem(
                409, "job-under-way", "A job of this kind is under way",
                "A training for 'all' is under way: wait until it has ended, or cancel it", _TRAIN,
            ),
            problem(
                413, "archive-rejected", "The archive cannot be used",
                "The archive is larger than 2,147,483,648 bytes: send fewer or smaller photos", _TRAIN, reason="too_large",
            ),
            problem(
                422, "unusable-photos", "The photos cannot be trained on",
                "At least 2 folders with 2 photos each are needed, and 1 of 1 are so: a folder is a class, and its JPEG, PNG"
                " and WebP files are its photos", _TRAIN,
            ),
            problem(
                503, "training-unavailable", "Nothing can be trained here",
                "TensorFlow is not installed here: install the extra `train` (make setup), or name a broker whose workers"
                " have it (CELERY_BROKER_URL)", _TRAIN,
            ),
        ],
    )  # fmt: skip
    def post(self, request: Request, slug: str) -> Response:
        """A new encoder version for the collection, trained on the photos of an archive. Answers at once with a job.

        The archive is a zip: a folder is a class, and its JPEG, PNG and WebP files are its photos. A `metadata.csv` beside
        the folders may say which photos show the same product (columns `file` and `product_id`). It comes as the one file
        of a form, or as the body itself (`application/zip`). Parameters may come in the address or in the form.
        Ask the address in `Location` how far the training is, and what came of it.
        """
        self.upload_limit().refuse(announced_bytes(request), allowance=FORM_BYTES)
        expect_training(slug)
        try:
            files = files_of(request)
            errors = errors_of_one("archive", files, "a zip", "put all photos into one zip")
            wanted = params.training_parameters(request.query_params, request.POST, errors=errors)
            job = submit_training(slug, cast("BinaryIO", files[0]), wanted)
        finally:
            let_go(request)
        return accepted(request, job)
