"""The parameters of the API: each declared once, for reading a request and for the schema."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.http import QueryDict

from catalog.importers.csv_file import ENCODINGS
from catalog.importers.run import SOURCE_CHARACTERS, ImportOptions
from catalog.importers.sources import FORMATS
from embeddings.training.config import Knob, api_knobs
from recommender.filtering import ProductFilter
from recommender.pipeline import DEFAULT_COLLECTION, DEFAULT_LIMIT, SearchQuery, SimilarQuery
from recommender.products import ProductListQuery
from rest.errors import InvalidParameters, ParameterError


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter. read: raises ValueError with what is wrong. schema: as in OpenAPI 3.1. several: it may be given again."""

    name: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any]
    description: str
    default: Any = None
    example: Any = field(default=None)
    several: bool = False


def similar_query(given: QueryDict) -> SimilarQuery:
    """Raises InvalidParameters."""
    values = _read(SIMILAR, given)
    return SimilarQuery(filter=_filter(values), **values)


def search_query(*given: QueryDict, errors: Iterable[ParameterError] = ()) -> SearchQuery:
    """From the address and the form. Raises InvalidParameters, with the errors that were found before."""
    values = _read(SEARCH, *given, errors=errors)
    return SearchQuery(filter=_filter(values), **values)


def product_list_query(given: QueryDict) -> ProductListQuery:
    """Raises InvalidParameters."""
    values = _read(PRODUCT_LIST, given)
    return ProductListQuery(filter=_filter(values), text=values.pop("q"), **values)


def training_parameters(*given: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
    """From the address and the form. Raises InvalidParameters, with the errors that were found before."""
    return _read(TRAINING, *given, errors=errors)


def import_options(*given: QueryDict, errors: Iterable[ParameterError] = ()) -> ImportOptions:
    """From the address and the form. Raises InvalidParameters, with the errors that were found before."""
    values = _read(IMPORT, *given, errors=errors)
    if values["deactivate_missing"] and not values["source"]:
        raise InvalidParameters(
            [ParameterError("source", "is missing: deactivate_missing withdraws products of a source")]
        )
    return ImportOptions(**values)


def no_parameters(given: QueryDict, but: str = "") -> None:
    """For endpoints without any, `but` for one that is read elsewhere. Raises InvalidParameters."""
    rest = given.copy()
    rest.pop(but, None)
    _read((), rest)


def _read(params: Iterable[Param], *given: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
    known = {param.name: param for param in params}
    values = {name: param.default for name, param in known.items()}
    found = {error.parameter: error for error in errors}
    for name in dict.fromkeys(name for source in given for name in source):
        texts = [text for source in given for text in source.getlist(name)]
        try:
            values[name] = _read_one(known, name, texts)
        except ValueError as error:
            found.setdefault(name, ParameterError(name, str(error)))
    low, high = values.get("min_price"), values.get("max_price")
    if low is not None and high is not None and low > high:
        found["min_price"] = ParameterError("min_price", "is above max_price")
    if found:
        raise InvalidParameters([*found.values()])
    return values


def _read_one(known: Mapping[str, Param], name: str, texts: Sequence[str]) -> Any:
    if name not in known:
        raise ValueError(f"is not known here; known are: {', '.join(known) or 'none'}")
    param = known[name]
    if len(texts) > 1 and not param.several:
        raise ValueError("is given more than once")
    if not all(texts):
        raise ValueError("is empty: give a value, or leave the parameter out")
    return tuple(map(param.read, texts)) if param.several else param.read(texts[0])


def _filter(values: dict[str, Any]) -> ProductFilter:
    names = ("category", "brand", "min_price", "max_price", "available")
    return ProductFilter(**{name: values.pop(name) for name in names})


# What a program writes for a number, 0.00012345678901234567 and 1e-07 too.
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_PRICE = 9_999_999_999
_MAX_SCORE = 1e9
_MAX_PAGE = 1_000_000


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return int(text)

    return read


def _number(low: float, high: float, wanted: str) -> Callable[[str], float]:
    def read(text: str) -> float:
        if not _NUMBER.fullmatch(text) or not low <= float(text) <= high:
            raise ValueError(f"is not {wanted}")
        return float(text)

    return read


def _price(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= _MAX_PRICE:
        raise ValueError("is not a price such as 12 or 12.50")
    return Decimal(text)


def _flag(text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError("is neither true nor false")
    return known[text.lower()]


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"is none of {', '.join(names)}")
        return text

    return read


def _backbone(text: str) -> str:
    """By name alone: a path or an address would have the server open what a stranger says."""
    return _one_of(tuple(settings.BACKBONES))(text)


def _text(max_length: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > max_length:
            raise ValueError(f"is longer than {max_length} characters")
        if _CONTROL.search(text):
            raise ValueError("has control characters")
        return text

    return read


def _pair(text: str) -> str:
    name, equals, _ = _text(500)(text).partition("=")
    if not (name.strip() and equals):
        raise ValueError("is not of the form field=column or field=text")
    return text


def _slug_path(text: str) -> str:
    path = _text(500)(text)
    if path.startswith("/") or path.endswith("/") or "//" in path:
        raise ValueError("is not a path of slugs such as clothing/shirts")
    return path


# The same in the schema's words.
_TEXT = {"type": "string", "minLength": 1, "pattern": r"^[^\x00-\x1f\x7f-\x9f]*$"}
_PRICE = {"type": "number", "minimum": 0, "maximum": _MAX_PRICE}
_NAME = r"[^=\x00-\x1f\x7f-\x9f]*"
_PAIR_PATTERN = rf"^{_NAME}[^=\s\x00-\x1f\x7f-\x9f]{_NAME}=[^\x00-\x1f\x7f-\x9f]*$"
_PAIRS = {"type": "array", "items": {**_TEXT, "maxLength": 500, "pattern": _PAIR_PATTERN}}

LIMIT = Param(
    "limit", _whole(1, 100), {"type": "integer", "minimum": 1, "maximum": 100, "default": DEFAULT_LIMIT},
    "How many products at most.", DEFAULT_LIMIT,
)  # fmt: skip
FILTERS = (
    Param("category", _slug_path,
          {**_TEXT, "maxLength": 500, "pattern": r"^[^/\x00-\x1f\x7f-\x9f]+(?:/[^/\x00-\x1f\x7f-\x9f]+)*$"},
          "Slug path of a category; everything below it counts.", example="clothing/shirts"),
    Param("brand", _text(120), {**_TEXT, "maxLength": 120}, "This brand alone, letter by letter."),
    Param("min_price", _price, _PRICE,
          "Lowest price; products without a price are left out."),
    Param("max_price", _price, _PRICE,
          "Highest price; products without a price are left out."),
    Param("available", _flag, {"type": "boolean"}, "true: only what is in stock; false: only what is not."),
)  # fmt: skip
RANKING = (
    Param("diversity", _number(0, 1, "a number from 0 to 1"),
          {"type": "number", "minimum": 0, "maximum": 1, "default": 0},
          "0: the nearest first. Towards 1: products that differ from each other (maximal marginal relevance).", 0.0),
    Param("min_score", _number(-_MAX_SCORE, _MAX_SCORE, "a number"),
          {"type": "number", "minimum": -_MAX_SCORE, "maximum": _MAX_SCORE},
          "Worst score still shown. For collections compared by cosine or dot product: the lowest; by l1 or l2: the "
          "greatest distance. Without effect on a fall-back, which has no scores."),
    Param("min_confidence", _number(0, 1, "a number from 0 to 1"), {"type": "number", "minimum": 0, "maximum": 1},
          "Lowest probability, still shown, that a product is of the same kind. Without effect where the encoder version "
          "has no confidence (null in the answer)."),
)  # fmt: skip
COLLECTION = Param(
    "collection", _text(60), {**_TEXT, "maxLength": 60, "default": DEFAULT_COLLECTION},
    "Which similarity system answers.", DEFAULT_COLLECTION,
)  # fmt: skip

SEARCH = (LIMIT, *FILTERS, *RANKING)
SIMILAR = (COLLECTION, *SEARCH)
PRODUCT_LIST = (
    *FILTERS,
    Param("q", _text(200), {**_TEXT, "maxLength": 200}, "A part of the title or the brand, or the whole SKU."),
    Param("page", _whole(1, _MAX_PAGE), {"type": "integer", "minimum": 1, "maximum": _MAX_PAGE, "default": 1},
          "Which page.", 1),
    Param("page_size", _whole(1, 100), {"type": "integer", "minimum": 1, "maximum": 100, "default": 24},
          "Products a page.", 24),
)  # fmt: skip


def _training_param(knob: Knob) -> Param:
    default = {"default": knob.default} if knob.api == "default" else {}
    value = knob.default if default else None
    if knob.name == "backbone":
        text = "Network that the training starts from: bundled, or a name that the server's setting BACKBONES knows."
        return Param(knob.name, _backbone, {"type": "string", **default}, text, value)
    if knob.choices:
        return Param(
            knob.name, _one_of(knob.choices), {"type": "string", "enum": knob.choices, **default}, knob.help, value
        )
    low, high = knob.bounds or (0, 0)
    whole = knob.kind is int
    read = _whole(int(low), int(high)) if whole else _number(low, high, f"a number from {low:g} to {high:g}")
    schema = {"type": "integer" if whole else "number", "minimum": low, "maximum": high, **default}
    return Param(knob.name, read, schema, knob.help, value)


TRAINING = (
    *map(_training_param, api_knobs()),
    Param("activate", _flag, {"type": "boolean", "default": False},
          "true: the new version answers the collection's queries as soon as it is trained and the catalogue is "
          "embedded with it.", False),
)  # fmt: skip

_PLAIN = ImportOptions()
IMPORT = (
    Param("format", _one_of(FORMATS), {"type": "string", "enum": FORMATS},
          "What the file (or the zip) holds. Default: told from its content.", _PLAIN.format),
    Param("dry_run", _flag, {"type": "boolean", "default": _PLAIN.dry_run},
          "true: write nothing, report the same. The file is kept for a day, to be imported by `POST /api/jobs/<id>/import`.",
          _PLAIN.dry_run),
    Param("source", _text(SOURCE_CHARACTERS), {**_TEXT, "maxLength": SOURCE_CHARACTERS},
          "Know the products as those of the source of this name.", _PLAIN.source, example="feed"),
    Param("deactivate_missing", _flag, {"type": "boolean", "default": _PLAIN.deactivate_missing},
          "true: withdraw the products of `source` that it no longer has; they come back with it.",
          _PLAIN.deactivate_missing),
    Param("fetch", _flag, {"type": "boolean", "default": _PLAIN.fetch}, "false: leave out photos that are links.",
          _PLAIN.fetch),
    Param("map", _pair, _PAIRS,
          "A field's column as `field=column`; may be given again, for `category`, `tags` and `image` with the same field.",
          _PLAIN.map, example=["sku=ArtNo", "image=front"], several=True),
    Param("set", _pair, _PAIRS,
          "A fixed text for a field as `field=text`; `{column}` in it is the row's value of that column.",
          _PLAIN.set, example=["currency=CHF"], several=True),
    Param("encoding", _one_of(ENCODINGS), {"type": "string", "enum": ENCODINGS}, "Of a table. Default: utf-8.",
          _PLAIN.encoding),
    Param("delimiter", _one_of((",", ";", "|", "tab")), {"type": "string", "enum": [",", ";", "|", "tab"]},
          "Of a table. Default: told from its first line.", _PLAIN.delimiter),
    Param("decimal", _one_of((".", ",")), {"type": "string", "enum": [".", ","]},
          "The decimal mark of every price. Default: told from each.", _PLAIN.decimal),
    Param("category_separator", _text(10), {**_TEXT, "maxLength": 10}, "Between levels of a category. Default: >",
          _PLAIN.category_separator),
    Param("image_separator", _text(10), {**_TEXT, "maxLength": 10}, "Between photos in one column. Default: |",
          _PLAIN.image_separator),
)  # fmt: skip
