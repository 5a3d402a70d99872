"""The endpoint that trains the rankers of searches by words, on judgements or clicks. The training becomes a job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from embeddings.errors import InvalidJudgements
from embeddings.models import RankerVersion
from jobs import uploads
from jobs.api import JOB, JobSchema
from jobs.errors import JobInProgress, UploadTooLarge
from jobs.models import Job
from jobs.problems import JOB_IN_PROGRESS
from jobs.uploading import UploadView, file_errors
from recommender.problems import INVALID_JUDGEMENTS
from recommender.ranker_submissions import (
    MAX_JUDGEMENTS_BYTES,
    TRAIN_RANKER,
    check_ranker_training_allowed,
    submit_ranker_training,
)
from rest.documenting import RAW_BODY, form_body, problem_example, responses
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY
from rest.parameters import BooleanParameter, ChoiceParameter, Parameters
from rest.problems import TOO_LARGE

_TRAIN_RANKER = "/api/collections/all/train-ranker"


class RankerTrainingParameters(Parameters):
    """The parameters of `POST /api/collections/<slug>/train-ranker`."""

    clicks = BooleanParameter(
        "Learn from what visitors clicked after searches by words, without a file of judgements.", default=False
    )
    only = ChoiceParameter(
        "Train this kind alone: `boosted` trees or `deeprank`; by default both, and the best is named.",
        choices=RankerVersion.Kind.values,
    )
    activate = BooleanParameter(
        "Activate the best ranker when it is trained, if it is better than the text order.", default=False
    )


class TrainRankerView(UploadView):
    """Submits trainings of rankers."""

    endpoint = "train_ranker"
    part = "judgements"
    parameters = RankerTrainingParameters
    write_scopes = {"POST": frozenset({Scope.TRAIN})}
    parser_classes: Sequence[type[BaseParser]] = [MultiPartParser, uploads.CsvParser]

    def upload_limit(self) -> uploads.Limit:
        return uploads.Limit(MAX_JUDGEMENTS_BYTES, UploadTooLarge)

    @extend_schema(
        operation_id="train_ranker",
        summary="Train rankers of searches by words",
        tags=["Training"],
        parameters=[
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The collection, e.g. all."),
            RankerTrainingParameters,
            IDEMPOTENCY_KEY,
        ],
        request={
            **form_body(
                part,
                "A CSV file with the columns query, sku and grade (0: does not fit; the higher, the better).",
                RankerTrainingParameters.form_schema(),
                required=False,
            ),
            "text/csv": RAW_BODY,
        },
        responses=responses(JobSchema, 400, 403, 404, 409, 413, 415, 422, 503, 507, status=202),
        examples=[
            OpenApiExample(
                "Queued training", value={**JOB, "kind": TRAIN_RANKER}, response_only=True, status_codes=["202"]
            ),
            WRITES_DISABLED,
            problem_example(
                JOB_IN_PROGRESS,
                JobInProgress("a training of rankers for 'all' is under way: wait until it has ended, or cancel it"),
                _TRAIN_RANKER,
            ),
            problem_example(TOO_LARGE, UploadTooLarge(MAX_JUDGEMENTS_BYTES), _TRAIN_RANKER),
            problem_example(
                INVALID_JUDGEMENTS,
                InvalidJudgements("judgements.csv: line 2, column grade: 'good' is not a number from 0 to 100"),
                _TRAIN_RANKER,
            ),
        ],
    )
    def post(self, request: Request, slug: str) -> Response:
        """Train rankers on judgements, or with `clicks=true` on what visitors clicked. The response is a job.

        A ranker puts the 50 best of a search by words in a better order. Send the judgements as the only file of a form,
        `judgements`, or as the request body (`text/csv`). Parameters may be given in the query string or in the form. Poll the
        URL in `Location` for progress and the result, which names the best ranker; without `activate` no search changes.
        """
        return self.submitted(
            request,
            check_allowed=lambda: check_ranker_training_allowed(slug),
            read=_read,
            submit=lambda sent: _submit(slug, *sent),
        )


def _read(request: Request) -> tuple[UploadedFile[Any] | None, dict[str, Any]]:
    name = TrainRankerView.part
    wrong = file_errors(
        request, name, "a CSV file of judgements (or clicks=true without a file)", "put all judgements into one"
    )
    # With clicks it may be missing; whether they are true is known once the parameters are read.
    needs_none = not request.FILES and ("clicks" in request.query_params or "clicks" in request.POST)
    values = RankerTrainingParameters.parse(request.query_params, request.POST, errors=[] if needs_none else wrong)
    if not values["clicks"] and wrong:
        raise InvalidParameters(wrong)
    file: UploadedFile[Any] | None = request.FILES.get(name)
    if values["clicks"] and file is not None:
        raise InvalidParameters([ParameterError("clicks", "is for a request without a file: leave out one of them")])
    return file, values


def _submit(slug: str, file: UploadedFile[Any] | None, values: dict[str, Any]) -> Job:
    upload, name = (None, "") if file is None else (cast("BinaryIO", file), file.name or "")
    return submit_ranker_training(
        slug, upload, file_name=name, only=values.get("only", ""), activate=values["activate"]
    )
