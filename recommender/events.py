"""Events from shops' pages: parsed strictly, stored in one statement, and deleted after EVENTS_KEEP_DAYS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import caches
from django.utils import timezone

from catalog.models import MAX_PRODUCT_ID, SKU_LENGTH
from catalog.selectors import ids_of_skus
from recommender.models import COLLECTION_LENGTH, ENCODER_LENGTH, Event
from rest.errors import InvalidParameters, ParameterError, integer_expected

MAX_EVENTS = 100
MAX_RESULTS = 100
MAX_QUANTITY = 10_000
MAX_POSITION = 1000

_DELETE_BATCH_SIZE = 1000
# Without a broker there is no periodic task: old events are deleted when events are stored, at most so many, so often.
_PRUNE_EVERY_S = 600
_PRUNE_BATCH_SIZE = 10_000
_PRUNED = "events:pruned"


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


def read_events(document: Any) -> list[Event]:
    """Parse the events of a JSON document.

    Args:
        document: the document, as `json.loads` returned it.

    Returns:
        The events, which are not stored yet.

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
    errors += _look_up(lookups)
    if errors:
        raise InvalidParameters(errors)
    return events


def store(events: Sequence[Event]) -> None:
    """Store events in one statement, with the current hour as their time.

    Args:
        events: from `read_events`.
    """
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    for event in events:
        event.created_at = hour
    Event.objects.bulk_create(events)
    _prune_periodically()


def prune(at_most: int | None = None) -> int:
    """Delete the events that are older than EVENTS_KEEP_DAYS, in batches, so that no transaction takes long.

    Args:
        at_most: stop after the batch that reaches this number; None: delete all.

    Returns:
        The number of deleted events.
    """
    before = timezone.now() - timedelta(days=settings.EVENTS_KEEP_DAYS)
    # The types are named so that the index is used.
    old = Event.objects.filter(type__in=Event.Type.values, created_at__lt=before)
    deleted = 0
    while (at_most is None or deleted < at_most) and (
        ids := list(old.values_list("pk", flat=True)[:_DELETE_BATCH_SIZE])
    ):
        deleted += Event.objects.filter(pk__in=ids).delete()[0]
    return deleted


def _prune_periodically() -> None:
    if not settings.CELERY_BROKER_URL and caches["process"].add(_PRUNED, True, _PRUNE_EVERY_S):
        prune(_PRUNE_BATCH_SIZE)


def _look_up(lookups: Sequence[_Lookup]) -> list[ParameterError]:
    """Set the ids of products that were named by SKU. Returns an error for each SKU that no product has."""
    ids = ids_of_skus({sku for lookup in lookups for sku in _listed(lookup.skus)})
    errors = []
    for lookup in lookups:
        many = not isinstance(lookup.skus, str)
        for number, sku in enumerate(_listed(lookup.skus)):
            if sku not in ids:
                place = f"{lookup.path}[{number}]" if many else lookup.path
                errors.append(ParameterError(place, f"no product has this SKU: {sku!r}"))
        found = [ids[sku] for sku in _listed(lookup.skus) if sku in ids]
        setattr(lookup.event, lookup.field.field, found if many else next(iter(found), None))
    return errors


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
        *_RESULT_FIELDS,
    ),
    Event.Type.CLICK: (
        _OPTIONAL_PRODUCT,
        EventField("result", "result_id", _id, _ID, sku_name="result_sku"),
        _integer_field("position", "position", MAX_POSITION),
        *_RESULT_FIELDS,
    ),
    Event.Type.ADD_TO_CART: (_PRODUCT, _QUANTITY),
    Event.Type.PURCHASE: (_PRODUCT, _QUANTITY),
}
