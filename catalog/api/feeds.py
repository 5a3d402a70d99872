"""The endpoints of feeds: list, create, get, change and delete them, and have one imported now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Literal

from django.db import IntegrityError, transaction
from django.http import QueryDict
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.audit import describe_change
from accounts.documenting import WRITES_DISABLED
from accounts.keys import Scope
from catalog.api.inputs import WHOLE, InvalidInput, Line, json_schema, read
from catalog.api.parameters import ImportParameters
from catalog.errors import FeedNotFound
from catalog.importers.run import ImportOptions
from catalog.importers.scheduled_feeds import (
    Credentials,
    InvalidFeed,
    failures_in_a_row,
    get_feed,
    last_result,
    save_feed,
    submit_feed,
)
from catalog.models import Feed
from catalog.models.feeds import ADDRESS_LENGTH, MAX_HOURS, NAME_LENGTH, FeedSchedule
from catalog.problems import FEED_NOT_FOUND
from jobs.api import IMPORT, JobSchema, accepted_response
from jobs.errors import JobInProgress
from jobs.problems import JOB_IN_PROGRESS
from rest.addresses import api_address
from rest.documenting import problem_example, responses
from rest.documents import check_document
from rest.errors import InvalidParameters, ParameterError
from rest.idempotency import IDEMPOTENCY_KEY, answer_once
from rest.parameters import BooleanParameter, NoParameters, Parameters
from rest.parsers import JsonParser
from rest.problems import INVALID_PARAMETERS
from rest.views import ApiView

_TAG = "Imports"
_ADDRESS = r"^[Hh][Tt]{2}[Pp][Ss]?://[^\s/?#@]+([/?#]\S*)?$"
_USER_NAME = r"^[^:\x00-\x1f\x7f-\x9f]*$"
_FEED_ID = OpenApiParameter("feed_id", int, OpenApiParameter.PATH, description="Id of the feed.")


class FeedOptions(ImportParameters):
    """How a feed is imported: the parameters of an import."""

    dry_run = None  # type: ignore[assignment]  # a feed is tried out by a parameter of its run

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Sequence[ParameterError]:  # noqa: ARG003
        """None: without a source, products are attributed to the name of the feed."""
        return ()

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        """The JSON Schema of the options as an object."""
        properties = {
            name: {key: value for key, value in schema.items() if key != "default"}
            for name, schema in cls.form_schema().items()
        }
        return {"type": "object", "properties": properties, "additionalProperties": False}

    @classmethod
    def read(cls, document: Mapping[str, Any], *, source: str) -> ImportOptions:
        """Check options.

        Args:
            document: plain JSON.
            source: what the products are attributed to, unless the document says it.

        Returns:
            The options.

        Raises:
            InvalidParameters: with all errors, each named `options.NAME`.
        """
        texts, errors = QueryDict(mutable=True), []
        types = {name: schema["type"] for name, schema in cls.form_schema().items()}
        for name, value in document.items():
            expected = types.get(name)
            values = value if isinstance(value, list) else [value]
            is_right = {
                "boolean": isinstance(value, bool),
                "array": isinstance(value, list) and all(isinstance(each, str) for each in values),
                None: True,
            }.get(expected, isinstance(value, str))
            if not is_right:
                errors.append(ParameterError(name, f"must be a {_JSON_TYPES[str(expected)]}"))
            elif values:
                texts.setlist(name, [str(each).lower() if isinstance(each, bool) else str(each) for each in values])
        try:
            return ImportOptions(**{"source": source, **cls.parse(QueryDict(), texts, errors=errors)})
        except InvalidParameters as error:
            named = [ParameterError(f"options.{each.parameter}", each.detail) for each in error.errors]
            raise InvalidParameters(named) from error


_JSON_TYPES = {"boolean": "boolean", "array": "list of texts", "string": "text"}


class FeedCredentials(BaseModel):
    """User name and password of Basic authentication."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    user_name: Annotated[Line, StringConstraints(max_length=200)] = Field(
        description="User name, without a colon.", json_schema_extra={"pattern": _USER_NAME}
    )
    password: Annotated[Line, StringConstraints(max_length=500)] = Field(description="Password.")


class FeedInput(BaseModel):
    """A feed as clients write it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    name: Annotated[Line, StringConstraints(max_length=NAME_LENGTH, pattern=r"^\S([^\x00-\x1f\x7f-\x9f]*\S)?$")] = (
        Field(description="Name.", examples=["spring"])
    )
    address: Annotated[Line, StringConstraints(max_length=ADDRESS_LENGTH, pattern=_ADDRESS)] = Field(
        description="Where the file is, without a user name and a password.",
        examples=["https://shop.example/feed.xml"],
    )
    credentials: FeedCredentials | None = Field(
        default=None,
        description="User name and password of Basic authentication. They are stored encrypted, and never answered. A feed that is "
        "changed keeps those that it has if this is not sent; null removes them.",
    )
    options: Annotated[dict[str, Any], WithJsonSchema(FeedOptions.json_schema())] = Field(
        default={},
        description="How it is imported: the parameters of `POST /api/imports`. Without `source`, its products are attributed to "
        "its name.",
        examples=[{"set": ["currency=CHF"], "deactivate_missing": True}],
    )
    schedule: Literal[tuple(FeedSchedule.values)] = Field(  # type: ignore[valid-type]
        default=FeedSchedule.DAILY.value, description="Every `every_hours` hours, or daily at `at_hour`."
    )
    every_hours: Annotated[int, Field(ge=1, le=MAX_HOURS), WHOLE] = Field(
        default=6, description="Hours between two imports."
    )
    at_hour: Annotated[int, Field(ge=0, le=23), WHOLE] = Field(
        default=3, description="Hour of the day, in the time zone of the server."
    )
    active: bool = Field(default=True, description="Whether it is imported by itself.")


class FeedSchema(serializers.Serializer[Any]):
    """A feed, with what came of its last import."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    address = serializers.CharField()
    has_credentials = serializers.BooleanField(help_text="Whether a user name and a password are stored.")
    options = serializers.DictField(help_text="As they were sent, without those that have their defaults.")
    schedule = serializers.ChoiceField(FeedSchedule.values)
    every_hours = serializers.IntegerField()
    at_hour = serializers.IntegerField()
    active = serializers.BooleanField()
    next_run_at = serializers.DateTimeField(allow_null=True, help_text="null: it is imported by hand only.")
    last_run_at = serializers.DateTimeField(allow_null=True)
    last_job = serializers.UUIDField(allow_null=True, help_text="Of its last import: `/api/jobs/<id>`.")
    last_result = serializers.CharField(
        allow_null=True, help_text="State of this job; `not_changed` if there was nothing to import."
    )
    last_error = serializers.CharField(allow_null=True, help_text="Why it has failed, and the remedy.")
    failures = serializers.IntegerField(help_text="How many imports have failed, one after the other; up to ten.")


class FeedListSchema(serializers.Serializer[Any]):
    """All feeds."""

    results = FeedSchema(many=True)


class FeedRunParameters(Parameters):
    """The parameters of `POST /api/feeds/<id>/run`."""

    dry_run = BooleanParameter(
        "Validate and report without writing. The file is stored for a day and can be imported with "
        "`POST /api/jobs/<id>/import`.",
        default=False,
    )
    only_if_changed = BooleanParameter(
        "Import nothing if the server says that the file is the one of the last import.", default=False
    )


_FEED: dict[str, Any] = {
    "id": 3, "name": "spring", "address": "https://shop.example/feed.xml", "has_credentials": True,
    "options": {"source": "spring", "deactivate_missing": True, "set": ["currency=CHF"]}, "schedule": "daily", "every_hours": 6,
    "at_hour": 3, "active": True, "next_run_at": "2026-11-25T03:00:00Z", "last_run_at": "2026-11-24T03:00:04Z",
    "last_job": IMPORT["id"], "last_result": "succeeded", "last_error": None, "failures": 0,
}  # fmt: skip
_INPUT = OpenApiExample(
    "A feed",
    value={
        "name": "spring", "address": "https://shop.example/feed.xml", "credentials": {"user_name": "shop", "password": "..."},
        "options": {"deactivate_missing": True, "set": ["currency=CHF"]}, "schedule": "daily", "at_hour": 3,
    },
    request_only=True,
)  # fmt: skip
_NO_FEED = problem_example(FEED_NOT_FOUND, FeedNotFound("there is no feed 9"), "/api/feeds/9")
_INVALID = problem_example(
    INVALID_PARAMETERS,
    InvalidParameters([ParameterError("address", "the link has the scheme 'ftp': use http or https")]),
    "/api/feeds",
)
_WRITES = (400, 403, 404, 413, 415, 422, 503)


class _FeedsApiView(ApiView):
    """Feeds have addresses that may be secret, so that reading them needs a key, too."""

    write_scopes = dict.fromkeys(("GET", "POST", "PUT", "DELETE"), frozenset({Scope.IMPORT}))
    parser_classes: Sequence[type[BaseParser]] = [JsonParser]


class FeedsView(_FeedsApiView):
    """All feeds."""

    endpoint = "feeds"

    @extend_schema(
        operation_id="feeds",
        summary="List feeds",
        tags=[_TAG],
        responses=responses(FeedListSchema, 400, 403),
        examples=[
            OpenApiExample("One feed", value={"results": [_FEED]}, response_only=True, status_codes=["200"]),
            WRITES_DISABLED,
        ],
    )
    def get(self, request: Request) -> Response:
        """All feeds, by name, each with what came of its last import."""
        NoParameters.parse(request.query_params)
        return Response({"results": [_as_json(feed) for feed in Feed.objects.select_related("last_job")]})

    @extend_schema(
        operation_id="create_feed",
        summary="Create a feed",
        tags=[_TAG],
        parameters=[IDEMPOTENCY_KEY],
        request={"application/json": json_schema(FeedInput)},
        responses=responses(FeedSchema, 400, 403, 413, 415, 422, 503, status=201),
        examples=[
            _INPUT,
            OpenApiExample("The feed", value=_FEED, response_only=True, status_codes=["201"]),
            _INVALID,
            WRITES_DISABLED,
        ],
    )
    def post(self, request: Request) -> Response:
        """Create a feed: a file of products at an address, which is downloaded and imported by itself, if it has changed.

        It is imported for the first time when it is due, or with `POST /api/feeds/<id>/run`.
        """
        return _write(request, lambda document: _created(request, document))


class FeedView(_FeedsApiView):
    """One feed."""

    endpoint = "feed"

    @extend_schema(
        operation_id="feed",
        summary="Get a feed",
        tags=[_TAG],
        parameters=[_FEED_ID],
        responses=responses(FeedSchema, 400, 403, 404),
        examples=[
            OpenApiExample("The feed", value=_FEED, response_only=True, status_codes=["200"]),
            _NO_FEED,
            WRITES_DISABLED,
        ],
    )
    def get(self, request: Request, feed_id: int) -> Response:
        """A feed, with what came of its last import."""
        NoParameters.parse(request.query_params)
        return Response(_as_json(get_feed(feed_id)))

    @extend_schema(
        operation_id="put_feed",
        summary="Change a feed",
        tags=[_TAG],
        parameters=[_FEED_ID, IDEMPOTENCY_KEY],
        request={"application/json": json_schema(FeedInput)},
        responses=responses(FeedSchema, *_WRITES),
        examples=[
            _INPUT,
            OpenApiExample("The feed", value=_FEED, response_only=True, status_codes=["200"]),
            _INVALID,
            _NO_FEED,
            WRITES_DISABLED,
        ],
    )
    def put(self, request: Request, feed_id: int) -> Response:
        """Change a feed: members that are not sent get their defaults, except for `credentials`, which stay."""
        return _write(request, lambda document: Response(_as_json(_saved(get_feed(feed_id), document))))

    @extend_schema(
        operation_id="delete_feed",
        summary="Delete a feed",
        tags=[_TAG],
        parameters=[_FEED_ID, IDEMPOTENCY_KEY],
        request=None,
        responses={204: None, **responses(None, 400, 403, 404, 415, 422, 503)},
        examples=[_NO_FEED, WRITES_DISABLED],
    )
    def delete(self, request: Request, feed_id: int) -> Response:
        """Delete a feed. Its products stay."""
        NoParameters.parse(request.query_params)

        def deleted(_: Any) -> Response:
            get_feed(feed_id).delete()
            describe_change(request._request, f"feed {feed_id}: deleted")
            return Response(status=HTTPStatus.NO_CONTENT)

        return answer_once(request, deleted)


class FeedRunView(_FeedsApiView):
    """Imports a feed."""

    endpoint = "feed_run"

    @extend_schema(
        operation_id="run_feed",
        summary="Import a feed now",
        tags=[_TAG],
        parameters=[_FEED_ID, FeedRunParameters, IDEMPOTENCY_KEY],
        request=None,
        responses=responses(JobSchema, 400, 403, 404, 409, 415, 422, 503, status=202),
        examples=[
            OpenApiExample("Queued import", value=IMPORT, response_only=True, status_codes=["202"]),
            WRITES_DISABLED,
            _NO_FEED,
            problem_example(
                JOB_IN_PROGRESS,
                JobInProgress("an import is under way: wait until it has ended, or cancel it"),
                "/api/feeds/3/run",
            ),
        ],
    )
    def post(self, request: Request, feed_id: int) -> Response:
        """Download a feed and import it now. The response is a job; when the feed is due next stays as it is."""
        options = FeedRunParameters.parse(request.query_params)
        return answer_once(request, lambda _: accepted_response(request, submit_feed(get_feed(feed_id), **options)))


def _write(request: Request, change: Callable[[Any], Response]) -> Response:
    check_document(request, "a feed is shorter")
    return answer_once(request, change, prepare=lambda: request.data)


def _created(request: Request, document: Any) -> Response:
    feed = _saved(Feed(), document)
    describe_change(request._request, f"feed {feed.pk}: created")
    location = f"{api_address(request)}/feeds/{feed.pk}"
    return Response(_as_json(feed), status=HTTPStatus.CREATED, headers={"Location": location})


def _saved(feed: Feed, document: Any) -> Feed:
    """Save a feed as a document says. Raises InvalidParameters with all that is wrong."""
    try:
        values = read(FeedInput, document)
    except InvalidInput as error:
        raise InvalidParameters(error.errors) from error
    options = FeedOptions.read(values.options, source=values.name)
    for name in ("name", "address", "schedule", "every_hours", "at_hour", "active"):
        setattr(feed, name, getattr(values, name))
    sent = values.credentials
    try:
        with transaction.atomic():
            save_feed(
                feed,
                options,
                credentials=Credentials(sent.user_name, sent.password) if sent is not None else None,
                keep_credentials="credentials" not in values.model_fields_set,
            )
    except InvalidFeed as error:
        raise InvalidParameters(
            [ParameterError(_MEMBERS.get(name, name), str(reason)) for name, reason in error.errors]
        ) from error
    except IntegrityError as error:
        detail = f"is taken: there is a feed {feed.name!r}"
        raise InvalidParameters([ParameterError("name", detail)]) from error
    return feed


# By the names of the errors of `save_feed`.
_MEMBERS = {"map": "options.map", "set": "options.set", "user": "credentials.user_name", "password": "credentials"}


def _as_json(feed: Feed) -> dict[str, Any]:
    job = feed.last_job
    columns = ("name", "address", "options", "schedule", "every_hours", "at_hour", "active", "next_run_at")
    return {
        "id": feed.pk,
        **{name: getattr(feed, name) for name in columns},
        "has_credentials": bool(feed.credentials),
        "last_run_at": job.created_at if job else None,
        "last_job": str(job.pk) if job else None,
        "last_result": last_result(feed) or None,
        "last_error": (job.error if job else "") or None,
        "failures": failures_in_a_row(feed),
    }
