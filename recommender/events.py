"""Events from shops' pages: read strictly, written in one statement, and forgotten after EVENTS_KEEP_DAYS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from recommender.models import COLLECTION_LENGTH, ENCODER_LENGTH, Event
from rest.errors import InvalidParameters, ParameterError

MAX_EVENTS = 100
MAX_RESULTS = 100
MAX_QUANTITY = 10_000
MAX_POSITION = 1000
_LARGEST_ID = 2**63 - 1

_BATCH = 1000
# With no broker there is no periodic task: what is too old goes while events come in, so much of it and so often.
_PRUNE_EVERY_S = 600.0
_PRUNED_AT_ONCE = 10_000
_pruned_at = float("-inf")


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an event. field: of the model. read: raises ValueError with what is wrong. schema: as in OpenAPI 3.1."""

    name: str
    field: str
    read: Callable[[Any], Any]
    schema: Mapping[str, Any]
    required: bool = True


def read_events(document: Any) -> list[Event]:
    """The events, not stored yet, of a JSON document. Raises InvalidParameters, which names everything that is wrong."""
    if not isinstance(document, dict) or not isinstance(document.get("events"), list):
        raise InvalidParameters([ParameterError("events", 'is missing: send {"events": [...]}')])
    given = document["events"]
    errors = _strangers("", document, ("events",), "the document")
    if not 1 <= len(given) <= MAX_EVENTS:
        errors.append(ParameterError("events", f"are {len(given)}: send 1 to {MAX_EVENTS} at a time"))
    events = [] if errors else [_read_event(f"events[{number}]", each, errors) for number, each in enumerate(given)]
    if errors:
        raise InvalidParameters(errors)
    return events


def record(events: Sequence[Event]) -> None:
    """Store these events, all in one statement, as of this hour."""
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for event in events:
        event.created_at = hour
    Event.objects.bulk_create(events)
    _prune_now_and_then()


def prune(at_most: int | None = None) -> int:
    """Delete the events that are older than EVENTS_KEEP_DAYS, some at a time, so that nobody waits long. Returns how many."""
    before = timezone.now() - timedelta(days=settings.EVENTS_KEEP_DAYS)
    # With the types named, the index finds them.
    old = Event.objects.filter(type__in=Event.Type.values, created_at__lt=before)
    deleted = 0
    while (at_most is None or deleted < at_most) and (ids := list(old.values_list("pk", flat=True)[:_BATCH])):
        deleted += Event.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _prune_now_and_then() -> None:
    global _pruned_at
    now = time.monotonic()
    if settings.CELERY_BROKER_URL or now - _pruned_at < _PRUNE_EVERY_S:
        return
    _pruned_at = now
    prune(_PRUNED_AT_ONCE)


def _read_event(place: str, given: Any, errors: list[ParameterError]) -> Event:
    """One event; what is wrong with it is added to `errors`."""
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(kind, str) or kind not in MEMBERS:
        wrong = place if kind is None else f"{place}.type"
        errors.append(ParameterError(wrong, f"is no event: give a `type`, one of {', '.join(MEMBERS)}"))
        return Event()
    members = MEMBERS[Event.Type(kind)]
    errors += _strangers(place, given, ("type", *(member.name for member in members)), kind)
    event = Event(type=kind)
    for member in members:
        value = given.get(member.name)
        if value is None and not member.required:
            continue
        try:
            if value is None:
                raise ValueError("is missing")
            setattr(event, member.field, member.read(value))
        except ValueError as error:
            errors.append(ParameterError(f"{place}.{member.name}", str(error)))
    return event


def _strangers(place: str, given: Mapping[str, Any], known: Sequence[str], what: str) -> list[ParameterError]:
    unknown = [name for name in given if name not in known]
    if not unknown:
        return []
    # One is enough: a body could have thousands of them.
    name = unknown[0][:40].encode("ascii", "backslashreplace").decode()
    told = f"{place}.{name}" if place else name
    return [ParameterError(told, f"is not known here; {what} has: {', '.join(known)}")]


def _whole(low: int, high: int, wanted: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        # True is an int, too; and JSON knows no difference between 12 and 12.0.
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(number) is not int or not low <= number <= high:
            raise ValueError(f"is not {wanted}")
        return number

    return read


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_RESULTS:
        raise ValueError(f"is not a list of up to {MAX_RESULTS} product ids")
    return [_id(each) for each in value]


def _name(max_length: int) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not isinstance(value, str) or len(value) > max_length or not _NAME.fullmatch(value):
            raise ValueError(f"is not a name of up to {max_length} letters, digits, hyphens and underscores")
        return value

    return read


_NAME = re.compile(r"[A-Za-z0-9_-]+")
_id = _whole(1, _LARGEST_ID, "a product id")
_ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": _LARGEST_ID}


def _name_schema(max_length: int) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": max_length}


_PRODUCT = Member("product", "product_id", _id, _ID)
# A search by photo has no product of its own.
_QUERY = Member("product", "product_id", _id, {**_ID, "type": ["integer", "null"]}, required=False)
_QUANTITY = Member(
    "quantity", "quantity", _whole(1, MAX_QUANTITY, f"a whole number from 1 to {MAX_QUANTITY}"),
    {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_QUANTITY}, required=False,
)  # fmt: skip
_ANSWER = (
    Member("collection", "collection", _name(COLLECTION_LENGTH), _name_schema(COLLECTION_LENGTH)),
    Member("encoder", "encoder", _name(ENCODER_LENGTH), _name_schema(ENCODER_LENGTH)),
)
MEMBERS: Mapping[Event.Type, Sequence[Member]] = {
    Event.Type.IMPRESSION: (
        _QUERY,
        Member("results", "results", _ids, {"type": "array", "items": _ID, "maxItems": MAX_RESULTS}),
        *_ANSWER,
    ),
    Event.Type.CLICK: (
        _QUERY,
        Member("result", "result_id", _id, _ID),
        Member(
            "position", "position", _whole(1, MAX_POSITION, f"a whole number from 1 to {MAX_POSITION}"),
            {"type": "integer", "minimum": 1, "maximum": MAX_POSITION},
        ),
        *_ANSWER,
    ),
    Event.Type.ADD_TO_CART: (_PRODUCT, _QUANTITY),
    Event.Type.PURCHASE: (_PRODUCT, _QUANTITY),
}  # fmt: skip
