"""Events from shops' pages: parsed strictly, stored in one statement within limits, and deleted after EVENTS_KEEP_DAYS."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from accounts.throttling import count_in_window
from catalog.models import MAX_PRODUCT_ID
from catalog.selectors import existing_ids, ids_of_skus
from product_files.product_data import SKU_LENGTH
from recommender.learning.scheduling import submit_if_due
from recommender.models import COLLECTION_LENGTH, ENCODER_LENGTH, QUERY_LENGTH, Event, EventQuery
from rest.errors import InvalidParameters, ParameterError, integer_expected
from rest.json_text import UNSTORABLE

MAX_EVENTS = 100
MAX_RESULTS = 100
MAX_QUANTITY = 10_000
MAX_POSITION = 1000
MAX_UNKNOWN = 20

# So many events count for one request of the rate limit.
EVENTS_A_REQUEST = 10

# What a row takes with its entries in the indexes, and each product that was seen, in bytes; measured in PostgreSQL with ids of the
# largest size, and rounded up.
_ROW_BYTES = 400
_RESULT_BYTES = 24

_DELETE_BATCH_SIZE = 1000
# Without a broker there is no periodic task: old events are deleted when events are stored, at most so many, so often; and it is
# learned from them every night.
_PRUNE_EVERY_S = 600
_PRUNE_BATCH_SIZE = 10_000
_PRUNED = "events:pruned"
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S


@dataclass(frozen=True, slots=True)
class EventField:
    """A member of an event in JSON.

    Attributes:
        name: of the member.
        field: of the model Event.
        parse: converts the JSON value to the field's; raises ValueError with a predicate, as in "is not a product id".
        schema: of the value, as in OpenAPI 3.1.
        required: whether every event of the type has to have it, or the SKUs.
        sku_name: of the member that has SKUs instead of ids; "" where there is none.
    """

    name: str
    field: str
    parse: Callable[[Any], Any]
    schema: Mapping[str, Any]
    required: bool = True
    sku_name: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the members that may have it."""
        return (self.name, self.sku_name) if self.sku_name else (self.name,)


@dataclass(frozen=True, slots=True)
class _Lookup:
    """SKUs of an event whose ids are looked up when all events are parsed. path: of the member in the document."""

    path: str
    event: Event
    field: EventField
    skus: str | Sequence[str]


class EventLimitExceeded(Exception):
    """More events than one address, or all together, may have stored.

    Args:
        limit: what is exceeded, in words.
        retry_after_s: seconds until more are stored.
    """

    def __init__(self, limit: str, retry_after_s: int) -> None:
        super().__init__(f"{limit}: nothing of this request is stored; retry in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class ReadEvents:
    """What a document has.

    Attributes:
        events: to store.
        dropped: number of events that are not stored, because no product has the id or SKU that they are about.
        unknown: the paths of ids and SKUs that no product has, at most MAX_UNKNOWN.
    """

    events: Sequence[Event]
    dropped: int = 0
    unknown: Sequence[str] = ()

    @property
    def stored_bytes(self) -> int:
        """About how much the events take in the database."""
        return sum(
            _ROW_BYTES + _RESULT_BYTES * len(event.results or ()) + len(event.query.encode()) for event in self.events
        )


def event_schema(kind: Event.Type) -> dict[str, Any]:
    """The JSON Schema of an event, as in OpenAPI 3.1.

    Args:
        kind: its type.

    Returns:
        The schema of the JSON object.
    """
    fields = EVENT_FIELDS[kind]
    properties = {field.name: dict(field.schema) for field in fields}
    properties |= {field.sku_name: _sku_schema(field) for field in fields if field.sku_name}
    either = [
        {"oneOf": [{"required": [name]} for name in field.names]}
        if field.required
        else {"not": {"required": [*field.names]}}
        for field in fields
        if field.sku_name
    ]
    return {
        "type": "object",
        "title": kind.value,
        "additionalProperties": False,
        "required": ["type", *(field.name for field in fields if field.required and not field.sku_name)],
        "properties": {"type": {"type": "string", "enum": [kind.value]}, **properties},
        "allOf": either,
    }


def read_events(document: Any) -> ReadEvents:
    """Parse the events of a JSON document.

    A product that does not exist may have been deleted a moment ago, so it is no error: an event about it is left out, and where it
    was one of the results seen, null stands in its place.

    Args:
        document: the document, as `json.loads` returned it.

    Returns:
        The events, which are not stored yet, and what was left out.

    Raises:
        InvalidParameters: with all errors of all events.
    """
    if not isinstance(document, dict) or not isinstance(document.get("events"), list):
        raise InvalidParameters([ParameterError("events", 'is missing: send {"events": [...]}')])
    items = document["events"]
    errors = _unknown_field_errors("", document, ("events",), "the document")
    if not 1 <= len(items) <= MAX_EVENTS:
        errors.append(ParameterError("events", f"has {len(items)} events: send 1 to {MAX_EVENTS} per request"))
    lookups: list[_Lookup] = []
    events = (
        []
        if errors
        else [_parse_event(f"events[{number}]", item, errors, lookups) for number, item in enumerate(items)]
    )
    if errors:
        raise InvalidParameters(errors)
    return _of_existing_products(events, lookups)


def charge(read: ReadEvents, address: str | None) -> None:
    """Count events before they are stored.

    Args:
        read: from `read_events`.
        address: that they come from; None where they come with a secret key, so that no address is counted. It is kept in the cache
            for two days, with nothing but a number of bytes.

    Raises:
        EventLimitExceeded: the address, or all together, would have stored more than the settings allow.
    """
    now = time.time()
    if address is not None:
        stored, wait_s = count_in_window(f"events:from:{address}", read.stored_bytes, _DAY_S, now)
        if stored > settings.EVENTS_ADDRESS_MAX_BYTES_A_DAY:
            raise EventLimitExceeded("this address has stored as many events as one may in a day", wait_s)
    rows, wait_s = count_in_window("events:all", len(read.events), _HOUR_S, now)
    if rows > settings.EVENTS_MAX_ROWS_AN_HOUR:
        raise EventLimitExceeded("the server has stored as many events as it may in an hour", wait_s)


def store(events: Sequence[Event]) -> None:
    """Store events in one statement, and queries in another, with the current hour as their time.

    Args:
        events: of `read_events`.
    """
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for event in events:
        event.created_at = hour
    Event.objects.bulk_create(events)
    if searched := [EventQuery(event=event, query=event.query) for event in events if event.query]:
        EventQuery.objects.bulk_create(searched)
    _work_periodically()


def prune(at_most: int | None = None) -> int:
    """Delete the events that are older than EVENTS_KEEP_DAYS, and the oldest of more than EVENTS_MAX_ROWS.

    In batches, so that no transaction takes long.

    Args:
        at_most: stop after the batch that reaches this number; None: delete all.

    Returns:
        The number of deleted events.
    """
    before = timezone.now() - timedelta(days=settings.EVENTS_KEEP_DAYS)
    # The types are named so that the index is used.
    old = Event.objects.filter(type__in=Event.Type.values, created_at__lt=before)
    newest = Event.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    # By their numbers, since counting ten million rows takes seconds. Numbers may have gaps: then a few less are kept.
    too_many = Event.objects.filter(pk__lte=newest - settings.EVENTS_MAX_ROWS).order_by("pk")
    deleted = 0
    for rows in (old, too_many):
        while (at_most is None or deleted < at_most) and (
            ids := list(rows.values_list("pk", flat=True)[:_DELETE_BATCH_SIZE])
        ):
            deleted += Event.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _work_periodically() -> None:
    if not settings.CELERY_BROKER_URL and caches["process"].add(_PRUNED, True, _PRUNE_EVERY_S):
        # More than may come meanwhile.
        submit_if_due()
        prune(max(_PRUNE_BATCH_SIZE, settings.EVENTS_MAX_ROWS_AN_HOUR // 4))


def _of_existing_products(events: Sequence[Event], lookups: Sequence[_Lookup]) -> ReadEvents:
    """Look up the ids of products that were named by SKU, and leave out what no product has."""
    named = {(id(lookup.event), lookup.field.field) for lookup in lookups}
    ids = ids_of_skus({sku for lookup in lookups for sku in _listed(lookup.skus)})
    for lookup in lookups:
        found = [ids.get(sku) for sku in _listed(lookup.skus)]
        setattr(lookup.event, lookup.field.field, found[0] if isinstance(lookup.skus, str) else found)
    sent = {each for event in events for each in (event.product_id, event.result_id, *(event.results or ()))}
    existing = existing_ids(sent - {None} - {*ids.values()}) | {*ids.values()}
    kept, unknown = [], []
    for number, event in enumerate(events):
        missing = []
        for field in EVENT_FIELDS[Event.Type(event.type)]:
            by_sku = (id(event), field.field) in named
            path = f"events[{number}].{field.sku_name if by_sku else field.name}"
            value = getattr(event, field.field)
            if field.field == "results":
                unknown += [f"{path}[{place}]" for place, each in enumerate(value) if each not in existing]
                event.results = [each if each in existing else None for each in value]
            elif field.sku_name and (value is not None or by_sku) and value not in existing:
                missing.append(path)
        unknown += missing
        # Nothing can be learned of a strip of which nothing is left.
        if not missing and not (event.results and not any(event.results)):
            kept.append(event)
    return ReadEvents(kept, len(events) - len(kept), unknown[:MAX_UNKNOWN])


def _listed(skus: str | Sequence[str]) -> Sequence[str]:
    return [skus] if isinstance(skus, str) else skus


def _parse_event(path: str, data: Any, errors: list[ParameterError], lookups: list[_Lookup]) -> Event:
    """One event. path: of the event in the document. errors, lookups: those of the event are added."""
    kind = data.get("type") if isinstance(data, dict) else None
    if not isinstance(kind, str) or kind not in EVENT_FIELDS:
        invalid = path if kind is None else f"{path}.type"
        errors.append(ParameterError(invalid, f"has no valid `type`: use one of {', '.join(EVENT_FIELDS)}"))
        return Event()
    fields = EVENT_FIELDS[Event.Type(kind)]
    errors += _unknown_field_errors(path, data, ("type", *(name for field in fields for name in field.names)), kind)
    event = Event(type=kind)
    for field in fields:
        if field.sku_name and field.sku_name in data:
            try:
                lookups.append(_parse_skus(path, data, event, field))
            except ValueError as error:
                errors.append(ParameterError(f"{path}.{field.sku_name}", str(error)))
            continue
        value = data.get(field.name)
        if value is None and not field.required:
            continue
        try:
            if value is None:
                raise ValueError("is missing")
            setattr(event, field.field, field.parse(value))
        except ValueError as error:
            errors.append(ParameterError(f"{path}.{field.name}", str(error)))
    return event


def _parse_skus(path: str, data: Mapping[str, Any], event: Event, field: EventField) -> _Lookup:
    """The SKUs of a field. Raises ValueError."""
    if field.name in data:
        raise ValueError(f"is sent beside {field.name}: send one of the two")
    value = data[field.sku_name]
    if field.field == "results":
        if not isinstance(value, list) or len(value) > MAX_RESULTS:
            raise ValueError(f"must be a list of at most {MAX_RESULTS} SKUs")
    elif not isinstance(value, str):
        raise ValueError(_NO_SKU)
    if not all(isinstance(sku, str) and 1 <= len(sku) <= SKU_LENGTH for sku in _listed(value)):
        raise ValueError(_NO_SKU)
    return _Lookup(f"{path}.{field.sku_name}", event, field, value)


def _sku_schema(field: EventField) -> dict[str, Any]:
    sku = {"type": "string", "minLength": 1, "maxLength": SKU_LENGTH}
    return {"type": "array", "items": sku, "maxItems": MAX_RESULTS} if field.field == "results" else sku


def _unknown_field_errors(
    path: str, data: Mapping[str, Any], allowed: Sequence[str], owner: str
) -> list[ParameterError]:
    unknown = [name for name in data if name not in allowed]
    if not unknown:
        return []
    # Only the first: a body could have thousands of them.
    name = unknown[0][:40].encode("ascii", "backslashreplace").decode()
    parameter = f"{path}.{name}" if path else name
    return [ParameterError(parameter, f"is not a known field; {owner} has: {', '.join(allowed)}")]


def _integer(minimum: int, maximum: int, message: str = "") -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        # bool is a subclass of int; and JSON does not distinguish 12 from 12.0.
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if type(number) is not int or not minimum <= number <= maximum:
            raise ValueError(message or integer_expected(minimum, maximum))
        return number

    return parse


def _ids(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_RESULTS:
        raise ValueError(f"must be a list of at most {MAX_RESULTS} product ids")
    return [_id(each) for each in value]


def _name(max_length: int) -> Callable[[Any], str]:
    def parse(value: Any) -> str:
        if not isinstance(value, str) or len(value) > max_length or not _NAME.fullmatch(value):
            raise ValueError(f"must be a name of up to {max_length} letters, digits, hyphens and underscores")
        return value

    return parse


def _query(value: Any) -> str:
    """Words as queries are compared: in lower case, with single spaces."""
    words = " ".join(value.casefold().split()) if isinstance(value, str) else ""
    if not words or len(words) > QUERY_LENGTH:
        raise ValueError(f"must be a text of 1 to {QUERY_LENGTH} characters")
    if UNSTORABLE.search(words):
        raise ValueError("has characters that no text can have")
    return words


_NAME = re.compile(r"[A-Za-z0-9_-]+")
_id = _integer(1, MAX_PRODUCT_ID, "must be a product id")
_ID = {"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_PRODUCT_ID}


def _integer_field(name: str, field: str, maximum: int, *, required: bool = True) -> EventField:
    integer: Any = "integer" if required else ["integer", "null"]
    return EventField(name, field, _integer(1, maximum), {"type": integer, "minimum": 1, "maximum": maximum}, required)


def _name_field(name: str, max_length: int) -> EventField:
    schema = {"type": "string", "pattern": f"^{_NAME.pattern}$", "maxLength": max_length}
    return EventField(name, name, _name(max_length), schema)


_NO_SKU = f"must be a SKU of 1 to {SKU_LENGTH} characters"
_PRODUCT = EventField("product", "product_id", _id, _ID, sku_name="sku")
# A search by photo has no product of its own.
_OPTIONAL_PRODUCT = EventField(
    "product", "product_id", _id, {**_ID, "type": ["integer", "null"]}, required=False, sku_name="sku"
)
_QUANTITY = _integer_field("quantity", "quantity", MAX_QUANTITY, required=False)
_RESULT_FIELDS = (_name_field("collection", COLLECTION_LENGTH), _name_field("encoder", ENCODER_LENGTH))
# After a search by words.
_QUERY = EventField(
    "query",
    "query",
    _query,
    {"type": ["string", "null"], "minLength": 1, "maxLength": QUERY_LENGTH, "pattern": r"^[^\x00]*$"},
    required=False,
)
EVENT_FIELDS: Mapping[Event.Type, Sequence[EventField]] = {
    Event.Type.IMPRESSION: (
        _OPTIONAL_PRODUCT,
        EventField(
            "results",
            "results",
            _ids,
            {"type": "array", "items": _ID, "maxItems": MAX_RESULTS},
            sku_name="result_skus",
        ),
        _QUERY,
        *_RESULT_FIELDS,
    ),
    Event.Type.CLICK: (
        _OPTIONAL_PRODUCT,
        EventField("result", "result_id", _id, _ID, sku_name="result_sku"),
        _integer_field("position", "position", MAX_POSITION),
        _QUERY,
        *_RESULT_FIELDS,
    ),
    Event.Type.ADD_TO_CART: (_PRODUCT, _QUANTITY),
    Event.Type.PURCHASE: (_PRODUCT, _QUANTITY),
}
