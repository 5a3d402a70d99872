"""What clients send of a product, declared once: checked, and described in the OpenAPI schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from django.db.models import CharField
from django.http import QueryDict
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from catalog.changes import MAX_PHOTOS, category_names
from catalog.models import CATEGORY_PATH_LENGTH, Product
from pictures.photos import FORMAT_NAMES
from product_files.product_data import DEFAULT_CURRENCY, SKU_LENGTH
from rest.errors import GIVEN_TWICE, ParameterError
from rest.json_text import UNSTORABLE

MAX_DESCRIPTION = 100_000
_MAX_LINK = 2000
_MAX_WORDS = 100
_WORD_LENGTH = 200
_MAX_VALUE = 5000
# JavaScript reads integers up to it exactly, too.
_MAX_NUMBER = 2**53 - 1
_TEXT_SCHEMA = {"type": "string", "maxLength": _MAX_VALUE, "pattern": r"^[^\x00]*$"}
_PRICE = Product._meta.get_field("price")
# Databases of shops have up to ten decimals: 24.0000. What cannot be paid is rounded.
_PRICE_PATTERN = rf"^[0-9]{{1,{_PRICE.max_digits - _PRICE.decimal_places}}}(\.[0-9]{{1,10}})?$"
_MAX_PRICE = 10 ** (_PRICE.max_digits - _PRICE.decimal_places) - 1
_CONTROL = r"\x00-\x1f\x7f-\x9f"
_LINE = rf"^[^{_CONTROL}]*$"
_NAME = rf"^[^{_CONTROL}]*[^\s{_CONTROL}][^{_CONTROL}]*$"
_CATEGORY = rf"^[^{_CONTROL}]*[^\s>{_CONTROL}][^{_CONTROL}]*$"

Model = TypeVar("Model", bound=BaseModel)


def _length(field: str) -> int:
    model_field = Product._meta.get_field(field)
    if not isinstance(model_field, CharField) or model_field.max_length is None:
        raise TypeError(f"{field} has no length")
    return model_field.max_length


def _price(value: Any) -> Any:
    """Read a number or a text; the catalogue rounds it."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _MAX_PRICE:
        return Decimal(str(value))
    if not isinstance(value, str) or not re.fullmatch(_PRICE_PATTERN[1:-1], value) or Decimal(value) > _MAX_PRICE:
        raise _no_price()
    return Decimal(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, float) and value.is_integer()


def _no_price() -> PydanticCustomError:
    return PydanticCustomError("price", f"must be a price such as 12 or 12.50, of at most {_MAX_PRICE}")


def _currency(value: Any) -> Any:
    """Take a code in small letters, too, as systems of payment write it."""
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{3}", value):
        raise PydanticCustomError("currency", "must be a code of ISO 4217 such as EUR")
    return value.upper()


def _attribute_value(value: Any) -> Any:
    texts = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if isinstance(value, int | float):
        valid = -_MAX_NUMBER <= value <= _MAX_NUMBER
    else:
        valid = isinstance(value, str | list) and len(texts) <= _MAX_WORDS
    if not valid or not all(isinstance(text, str) and len(text) <= _MAX_VALUE for text in texts):
        raise PydanticCustomError("value", "must be a text, a number, true, false, or a list of texts")
    for text in texts:
        _storable(text)
    return value


def _storable(text: str) -> str:
    if UNSTORABLE.search(text):
        raise PydanticCustomError("characters", "has characters that no text can have")
    return text


Text = Annotated[str, StringConstraints(max_length=MAX_DESCRIPTION, pattern=r"^[^\x00]*$"), AfterValidator(_storable)]
Line = Annotated[str, StringConstraints(pattern=_LINE), AfterValidator(_storable)]
Word = Annotated[str, StringConstraints(max_length=_WORD_LENGTH, pattern=_NAME), AfterValidator(_storable)]
Category = Annotated[str, StringConstraints(max_length=CATEGORY_PATH_LENGTH, pattern=_CATEGORY)]
Price = Annotated[
    Decimal,
    BeforeValidator(_price),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": _MAX_PRICE},
                {"type": "string", "pattern": _PRICE_PATTERN},
            ]
        }
    ),
]
# JSON knows one kind of number: 17.0 is 17. It comes after the bounds of an `int`, which are missing in the schema otherwise.
WHOLE = BeforeValidator(lambda value: int(value) if _is_whole(value) else value)
Words = Annotated[list[Word], Field(max_length=_MAX_WORDS)]
Value = Annotated[
    Any,
    AfterValidator(_attribute_value),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {"type": "number", "minimum": -_MAX_NUMBER, "maximum": _MAX_NUMBER},
                _TEXT_SCHEMA,
                {"type": "array", "items": _TEXT_SCHEMA, "maxItems": _MAX_WORDS},
            ]
        }
    ),
]

Title = Annotated[str, StringConstraints(max_length=_length("title"), pattern=_NAME), AfterValidator(_storable)]

# The field of ProductData whose column has another name.
FAMILY = "family"


class _Details(BaseModel):
    """The fields of a product, each optional."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    title: Title = Field(default="", description="Title.", examples=["Blue enamel mug"])
    description: Text = Field(default="", description="Description, as plain text.")
    category: Category | None = Field(
        default=None,
        description="Its only category: the slug path of one that exists (`kitchen/mugs`), or names from the root down"
        " (`Kitchen > Mugs`), which are created. null for none.",
        examples=["Kitchen > Mugs"],
    )
    categories: list[Category] = Field(
        default=[],
        max_length=20,
        description="Its categories, each as in `category`; the deepest one is the main one. Instead of `category`.",
    )
    brand: Annotated[Line, Field(max_length=_length("brand"))] = Field(default="", description="Brand.")
    price: Price | None = Field(default=None, description="Price; null if it is unknown.", examples=["14.50"])
    list_price: Price | None = Field(default=None, description="The price before a reduction; null without one.")
    currency: Annotated[
        str, BeforeValidator(_currency), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]{3}$"})
    ] = Field(default=DEFAULT_CURRENCY, description="ISO 4217.")
    available: bool = Field(default=True, description="Whether it is in stock.")
    active: bool = Field(
        default=True, description="Whether it is shown; inactive products are in no list or recommendation."
    )
    tags: Words = Field(default=[], description="Words.")
    attributes: Annotated[dict[Word, Value], Field(max_length=_MAX_WORDS)] = Field(
        default={},
        description="Values by name.",
        examples=[{"colour": "blue"}],
        # By itself, the pattern of names only says which values belong to them.
        json_schema_extra={"propertyNames": {"pattern": _NAME, "maxLength": _WORD_LENGTH}},
    )
    family: Annotated[Line, Field(max_length=SKU_LENGTH)] = Field(
        default="",
        description="What the shop calls the family of its variants: `item_group_id`, a handle, or the SKU of the main product."
        ' "" for none.',
    )


class ProductPatch(_Details):
    """Changes of a product."""

    image_links: list[Annotated[str, StringConstraints(min_length=1, max_length=_MAX_LINK, pattern=_LINE)]] = Field(
        default=[],
        max_length=MAX_PHOTOS,
        description="All photos of the product, in their order, as links to public servers; [] removes them. Photos stay as they"
        " are if neither this nor `photos` is sent.",
        examples=[["https://cdn.shop.example/mug.jpg"]],
    )


class ProductPut(ProductPatch):
    """A product."""

    title: Title = Field(description="Title.", examples=["Blue enamel mug"])


class BatchChange(_Details):
    """Changes of one product in a batch."""

    sku: Annotated[
        str, StringConstraints(min_length=1, max_length=SKU_LENGTH, pattern=_LINE), AfterValidator(_storable)
    ] = Field(description="SKU; exact, case-sensitive match.", examples=["MUG-017"])


class InvalidInput(Exception):
    """A document does not fit its model. `errors`: all that is wrong."""

    def __init__(self, errors: Iterable[ParameterError]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(f"{error.parameter}: {error.detail}" for error in self.errors))


def read(model: type[Model], document: Any) -> Model:
    """Check a document.

    Args:
        model: what it should be.
        document: plain JSON.

    Returns:
        The values; `model_fields_set` has the names of those that were sent.

    Raises:
        InvalidInput: with all errors.
    """
    try:
        values = model.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(_errors(error, model)) from None
    if {"category", "categories"} <= values.model_fields_set:
        raise InvalidInput([ParameterError("categories", "is sent beside category: send one of the two")])
    return values


def product_values(documents: Sequence[_Details]) -> list[dict[str, Any]]:
    """The values that were sent, as fields of ProductData.

    Args:
        documents: checked by `read`.

    Returns:
        For each document its values by name, without the SKU and photos.
    """
    texts = {text for document in documents for text in _category_texts(document)}
    names = category_names(sorted(texts))
    values = []
    for document in documents:
        sent = {name: getattr(document, name) for name in document.model_fields_set if name in _Details.model_fields}
        if {"category", "categories"} & sent.keys():
            found = [names[text] for text in _category_texts(document)]
            deepest = max(found, key=len, default=())
            sent.pop("categories", None)
            sent["category"] = deepest
            sent["other_categories"] = [each for each in found if each != deepest]
        values.append(sent)
    return values


def _category_texts(document: _Details) -> list[str]:
    return [document.category] if document.category is not None else document.categories


def read_form(form: QueryDict) -> dict[str, Any]:
    """Convert the texts of a form to the values of a JSON document.

    Args:
        form: a list has its name several times, or once with nothing for an empty one; `attributes` is a JSON object; no text is
            null where null is allowed.

    Returns:
        The document. A text that cannot be converted stays as it is, for `read` to refuse.

    Raises:
        InvalidInput: a field is sent several times.
    """
    repeated = [
        ParameterError(name, GIVEN_TWICE) for name in form if name not in _LISTS and len(form.getlist(name)) > 1
    ]
    if repeated:
        raise InvalidInput(repeated)
    return {name: _from_form(name, form.getlist(name)) for name in form}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model, in one piece, for a JSON body.

    Args:
        model: what is sent.

    Returns:
        The schema.
    """
    schema = model.model_json_schema()
    definitions = schema.get("$defs", {})
    properties = {
        name: _without(_inlined(each, definitions), "title", "default") for name, each in schema["properties"].items()
    }
    return {
        "type": "object",
        "properties": properties,
        "required": schema.get("required", []),
        "additionalProperties": False,
    }


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """A schema with models within it in the place of references, which would lead nowhere in the document of the API."""
    if isinstance(schema, list):
        return [_inlined(each, definitions) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    return {name: _inlined(each, definitions) for name, each in schema.items()}


def form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a model for a multipart form, with the files of its photos.

    Args:
        model: what is sent.

    Returns:
        The schema.
    """
    schema = json_schema(model)
    properties = {name: _form_property(name, each) for name, each in schema["properties"].items()}
    properties["photos"] = {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "maxItems": MAX_PHOTOS,
        "description": f"All photos of the product, in their order: {FORMAT_NAMES} files. Those of `image_links` follow.",
    }
    return {**schema, "properties": properties}


_LISTS = frozenset({"categories", "tags", "image_links"})
_NULLABLE = frozenset({"category", "price", "list_price"})
_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def _from_form(name: str, texts: list[str]) -> Any:
    if name in _LISTS:
        return [] if texts == [""] else texts
    (text,) = texts
    if name in _NULLABLE and not text:
        return None
    if name in ("available", "active"):
        return _FLAGS.get(text.lower(), text)
    if name == "attributes":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _form_property(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    if name == "attributes":
        return {"type": "string", "description": "Values by name, as a JSON object.", "example": '{"colour": "blue"}'}
    if name not in _NULLABLE:
        return dict(schema)
    # A form has only texts: of the alternatives it is one, or nothing.
    text = next(each for each in schema["anyOf"] if each["type"] == "string")
    description = schema["description"].replace("null", "No text")
    return {
        **_without(schema, "anyOf"),
        "anyOf": [text, {"type": "string", "maxLength": 0}],
        "description": description,
    }


def _errors(error: ValidationError, model: type[BaseModel]) -> list[ParameterError]:
    """One error for each place in the document."""
    found: dict[str, ParameterError] = {}
    for detail in error.errors(include_url=False):
        field, *path = detail["loc"] or ("document",)
        # Of further parts those that are in the document: numbers of a list, names of attributes.
        places = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path[:1]] if path else []
        name = f"{field}{''.join(places)}".encode("ascii", "backslashreplace").decode()[:100]
        found.setdefault(name, ParameterError(name, _message(detail, model)))
    return list(found.values())


# Pydantic names the types of Python.
_TYPES = {
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "dict_type": "must be an object",
}


def _message(detail: Any, model: type[BaseModel]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"is not a known field; known fields: {', '.join(model.model_fields)}"
        case "missing":
            return "is missing"
        case "model_type":
            return "is no JSON object"
        case "string_pattern_mismatch":
            return "is empty, or has characters that it cannot have"
        case name if name in _TYPES:
            return _TYPES[name]
    # "Input should be ..." and "List should have ..." are pydantic's words.
    return str(re.sub(r"^(Input|List|Dictionary|String|Value) ", "", detail["msg"]))


def _without(schema: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """A schema without these keywords, at its top: `title` is also the name of a property."""
    return {name: value for name, value in schema.items() if name not in names}
