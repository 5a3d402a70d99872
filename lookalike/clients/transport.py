"""Sends requests to a recommender and reads its answers, by Python's standard library alone."""

from __future__ import annotations

import json
import types
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum
from functools import cache
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

# A file to send: its path, its bytes, or its name with its bytes.
File = Path | bytes | tuple[str, bytes]

_FORM_LINE = "\r\n"


class Unset(Enum):
    """The type of UNSET."""

    UNSET = "unset"


# The default of a field that is not sent. None is sent, as null.
UNSET: Final = Unset.UNSET


class LookalikeError(Exception):
    """A request that came to nothing."""


class NoAnswer(LookalikeError):
    """The server was not reached, did not answer in time, or answered something that is not of this API."""


class ApiError(LookalikeError):
    """A problem (RFC 9457) that the API reports; each of the usual statuses has a class of its own.

    Attributes:
        status: HTTP status.
        type: URN of the problem type.
        kind: Last part of the URN, e.g. `product-not-found`; "" where the status says enough.
        title: The same for every problem of the type.
        detail: What is wrong with this request, and what to do about it.
        instance: Path of the request.
        errors: What is wrong with each parameter, by its name.
        problem: All members of the problem.
        retry_after_s: Seconds after which the request may be sent again; None if the server does not say.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after_s: int | None = None) -> None:
        self.status = status
        self.problem = problem
        self.type: str = problem.get("type", "about:blank")
        self.kind = self.type.rpartition(":")[2] if self.type.startswith("urn:") else ""
        self.title: str = problem.get("title", "")
        self.detail: str = problem.get("detail", "")
        self.instance: str = problem.get("instance", "")
        self.errors: dict[str, str] = {each["parameter"]: each["detail"] for each in problem.get("errors", ())}
        self.retry_after_s = retry_after_s
        wrong = "; ".join(f"{name}: {detail}" for name, detail in self.errors.items())
        super().__init__(f"{status} {self.title}: {wrong or self.detail}")


class BadRequest(ApiError):
    """400: a parameter, the body or a file cannot be used."""


class Unauthorized(ApiError):
    """401: the API key is missing or unknown."""


class Forbidden(ApiError):
    """403: the API key may not do this."""


class NotFound(ApiError):
    """404: there is no such product, collection, job or rule."""


class Conflict(ApiError):
    """409: it does not fit the state of things, such as a job that has ended."""


class TooLarge(ApiError):
    """413: the upload is too large."""


class UnsupportedMediaType(ApiError):
    """415: the body has a type that is not taken."""


class Unprocessable(ApiError):
    """422: understood, and cannot be done."""


class RateLimited(ApiError):
    """429: too many requests; `retry_after_s` says when the next one is allowed."""


class Unavailable(ApiError):
    """503: something that the server needs is away for the moment."""


class OutOfSpace(ApiError):
    """507: the server's disk is full."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: BadRequest,
    HTTPStatus.UNAUTHORIZED: Unauthorized,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: TooLarge,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaType,
    HTTPStatus.UNPROCESSABLE_ENTITY: Unprocessable,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
    HTTPStatus.SERVICE_UNAVAILABLE: Unavailable,
    HTTPStatus.INSUFFICIENT_STORAGE: OutOfSpace,
}


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Transport:
    """One recommender, and the key to it.

    Args:
        base_url: Its address, e.g. `https://shop.example/lookalike`.
        key: An API key; None to ask without one.
        timeout_s: Seconds that the server may take.

    Raises:
        ValueError: base_url is no address of the web.
    """

    def __init__(self, base_url: str, key: str | None, timeout_s: float) -> None:
        if urllib.parse.urlsplit(base_url).scheme not in ("http", "https"):
            raise ValueError(f"base_url must begin with http:// or https://: {base_url!r}")
        self._base_url = base_url.rstrip("/")
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        form: Mapping[str, Any] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> bytes:
        """Send a request.

        Args:
            method: HTTP method.
            path: Path below the base URL, percent-encoded.
            query: Parameters by name; None is not sent, of a list each.
            body: Fields of a JSON object; UNSET is not sent.
            form: Fields of a form; UNSET is not sent, and None is no text.
            headers: Further headers; None is not sent.

        Returns:
            The body of the answer.

        Raises:
            ApiError: The API reports a problem.
            NoAnswer: There is no answer of the API.
        """
        data, content_type = None, {}
        if form is not None:
            boundary = uuid.uuid4().hex
            data = b"".join(_form(_sent(form, UNSET), boundary))
            content_type = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        elif body is not None:
            data = json.dumps(_sent(body, UNSET), default=str).encode()
            content_type = {"Content-Type": "application/json"}
        pairs = [(name, each) for name, value in given(query or {}).items() for each in _texts(value)]
        address = self._base_url + path + ("?" + urllib.parse.urlencode(pairs) if pairs else "")
        all_headers = self._headers | content_type | given(headers or {})
        request = urllib.request.Request(address, data, all_headers, method=method)  # noqa: S310 the scheme was checked
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                answer: bytes = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error) from None
        except (OSError, HTTPException) as error:
            raise NoAnswer(f"{self._base_url} did not answer: {getattr(error, 'reason', error)}") from error
        return answer


def in_path(value: object) -> str:
    """A value as one segment of a path: `A/1` -> `A%2F1`."""
    return urllib.parse.quote(str(value), safe="")


def with_attributes(
    parameters: Mapping[str, Any], attributes: Mapping[str, str | Sequence[str]] | None
) -> dict[str, Any]:
    """Parameters with one more for each attribute: `{"colour": "blue"}` -> `attribute.colour=blue`."""
    return {**parameters, **{f"attribute.{name}": value for name, value in (attributes or {}).items()}}


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that are not None."""
    return _sent(values, None)


def cursor_of(address: str | None) -> str | None:
    """The cursor in the address of another page; None if there is no such page."""
    return urllib.parse.parse_qs(urllib.parse.urlsplit(address).query)["cursor"][0] if address else None


def decoded(kind: type[T], answer: bytes) -> T:
    """Read a JSON answer.

    Args:
        kind: A dataclass; fields that it does not know are left out.
        answer: The body.

    Returns:
        The answer.

    Raises:
        NoAnswer: It is no such answer.
    """
    try:
        value: T = _built(kind, json.loads(answer))
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoAnswer(f"the answer is no {kind.__name__} of this API: {error!r}") from error
    return value


def _problem(error: urllib.error.HTTPError) -> LookalikeError:
    if error.code < HTTPStatus.BAD_REQUEST:
        return NoAnswer(
            f"status {error.code} leads to {error.headers.get('Location')}; give the address that answers itself"
        )
    try:
        problem = json.loads(error.read())
    except (OSError, HTTPException, ValueError):
        problem = None
    if not isinstance(problem, dict):
        problem = {
            "title": error.reason,
            "detail": "The answer is not of this API; something in front of it may have sent it.",
        }
    retry_after = error.headers.get("Retry-After", "")
    return _BY_STATUS.get(error.code, ApiError)(
        error.code, problem, int(retry_after) if retry_after.isdecimal() else None
    )


def _sent(values: Mapping[str, Any], left_out: object) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not left_out}


def _texts(value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [text for each in value for text in _texts(each)]
    return [str(value)]


def _form(values: Mapping[str, Any], boundary: str) -> Iterator[bytes]:
    for name, value in values.items():
        for each in _parts(name, value):
            file = f'; filename="{_quoted(each[0])}"' if isinstance(each, tuple) else ""
            kind = "Content-Type: application/octet-stream" + _FORM_LINE if file else ""
            head = f'--{boundary}{_FORM_LINE}Content-Disposition: form-data; name="{_quoted(name)}"{file}{_FORM_LINE}{kind}'
            yield f"{head}{_FORM_LINE}".encode()
            yield (each[1] if isinstance(each, tuple) else each.encode()) + _FORM_LINE.encode()
    yield f"--{boundary}--{_FORM_LINE}".encode()


def _quoted(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _parts(name: str, value: Any) -> list[str | tuple[str, bytes]]:
    """The parts of a form that stand for a value: files as name and bytes."""
    if value is None:
        return [""]
    if isinstance(value, Path):
        return [(value.name, value.read_bytes())]
    if isinstance(value, bytes):
        return [(name, value)]
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], bytes):
        return [value]
    if isinstance(value, Mapping):
        return [json.dumps(value, default=str)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if not value:
            raise ValueError(f"{name}: a form cannot hold an empty list; send it without files")
        return [part for each in value for part in _parts(name, each)]
    return list(_texts(value))


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _built(kind: Any, value: Any) -> Any:
    """A value of JSON as its type. Raises what a value of another form gives: KeyError, TypeError, ValueError and the like."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        one, *others = [each for each in arguments if each is not type(None)]
        return value if value is None or others else _built(one, value)
    if origin is list:
        return [_built(arguments[0], each) for each in value]
    if origin is dict:
        return {name: _built(arguments[1], each) for name, each in value.items()}
    if is_dataclass(kind):
        hints = _hints(kind)  # type: ignore[arg-type]
        given = [field.name for field in fields(kind) if field.name in value or field.default is MISSING]
        return kind(**{name: _built(hints[name], value[name]) for name in given})  # type: ignore[operator]
    if kind is datetime:
        return datetime.fromisoformat(value)
    if kind in (Decimal, float):
        return kind(value)
    if origin is Literal or kind is Any or isinstance(value, kind):
        return value
    raise TypeError(f"{value!r} is no {kind}")
