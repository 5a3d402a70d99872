"""Query and form parameters: a serializer declares each once, for reading a request and for the OpenAPI schema.

Parsing is strict: a parameter that is unknown, given twice, empty, malformed or out of bounds is an error, and every error of a
request is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from functools import cache
from typing import Any, cast

from django.http import QueryDict
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers
from rest_framework.fields import empty

from rest.errors import GIVEN_TWICE, InvalidParameters, ParameterError, integer_expected

MAX_PRICE = 9_999_999_999

# Decimal and scientific notation, e.g. 0.00012345678901234567 and 1e-07.
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?")
_CONTROL_CHARACTERS = r"\x00-\x1f\x7f-\x9f"
_WHITESPACE = str.maketrans("\t\n\r", "   ")
# What campaigns, advertisers and scripts add to any address: no parameter of ours. `_` is jQuery's, against caches.
_TRACKING = re.compile(
    r"_|_ga|_gl|utm_[a-z_]+|fbclid|gclid|gclsrc|dclid|gad_source|gbraid|wbraid|msclkid|ttclid|twclid|yclid|igshid|srsltid|mc_[ce]id"
    r"|hsa_[a-z]+|_hs(?:enc|mi)|li_fat_id|epik|rdt_cid|ScCid|ref_src"
)
_FLAGS = {"true": True, "1": True, "false": False, "0": False}

Schema = dict[str, Any]


class Parameter(serializers.Field[Any, str, Any, Any]):
    """A parameter of a request. Subclasses parse its text and describe it in JSON Schema.

    Attributes:
        multiple: whether it may be given more than once; its value is then a tuple.
        max_times: how many times at most, where it is multiple; None for any number.
    """

    multiple = False
    max_times: int | None = None

    def __init__(
        self,
        help_text: str,
        *,
        default: Any = empty,
        example: Any = None,
        source: str | None = None,
        multiple: bool | None = None,
    ) -> None:
        """Declare the parameter.

        Args:
            help_text: its description in the OpenAPI schema.
            default: its value where it is not given. Without one, `Parameters.parse` leaves it out.
            example: a value for the OpenAPI schema.
            source: name of its value in the result of `Parameters.parse`; by default its own name.
            multiple: whether it may be given more than once; by default as its class says.
        """
        super().__init__(help_text=help_text, default=default, source=source, required=False)
        self.example = example
        if multiple is not None:
            self.multiple = multiple

    def schema(self) -> Schema:
        """The JSON Schema of one value, without description and default."""
        raise NotImplementedError

    def parse(self, text: str) -> Any:
        """Convert the text, which is not empty, to the value.

        Args:
            text: as it was sent.

        Raises:
            ValueError: the text is not valid; the message follows the parameter's name, as in "must be true or false".
        """
        raise NotImplementedError


class IntegerParameter(Parameter):
    """An integer within bounds."""

    def __init__(self, help_text: str, *, minimum: int, maximum: int, **options: Any) -> None:
        """Declare the parameter, which is an integer from `minimum` to `maximum`; options: see Parameter."""
        super().__init__(help_text, **options)
        self.minimum, self.maximum = minimum, maximum

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}

    def parse(self, text: str) -> int:
        if not re.fullmatch(r"-?[0-9]{1,12}", text) or not self.minimum <= int(text) <= self.maximum:
            raise ValueError(integer_expected(self.minimum, self.maximum))
        return int(text)


class NumberParameter(Parameter):
    """A finite number within bounds."""

    def __init__(self, help_text: str, *, minimum: float, maximum: float, **options: Any) -> None:
        """Declare the parameter, which is a number from `minimum` to `maximum`; options: see Parameter."""
        super().__init__(help_text, **options)
        self.minimum, self.maximum = minimum, maximum

    def schema(self) -> Schema:
        return {"type": "number", "minimum": self.minimum, "maximum": self.maximum}

    def parse(self, text: str) -> float:
        if not _NUMBER.fullmatch(text) or not self.minimum <= float(text) <= self.maximum:
            raise ValueError(f"must be a number from {self.minimum:g} to {self.maximum:g}")
        return float(text)


class PriceParameter(Parameter):
    """A price, as Decimal."""

    def schema(self) -> Schema:
        return {"type": "number", "minimum": 0, "maximum": MAX_PRICE}

    def parse(self, text: str) -> Decimal:
        if not _NUMBER.fullmatch(text) or not 0 <= float(text) <= MAX_PRICE:
            raise ValueError("must be a price such as 12 or 12.50")
        return Decimal(text)


class BooleanParameter(Parameter):
    """`true` or `1`, `false` or `0`, in upper or lower case."""

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def parse(self, text: str) -> bool:
        if text.lower() not in _FLAGS:
            raise ValueError("must be true or false")
        return _FLAGS[text.lower()]


class ChoiceParameter(Parameter):
    """One of some names."""

    def __init__(self, help_text: str, *, choices: Sequence[str] | Callable[[], Iterable[str]], **options: Any) -> None:
        """Declare the parameter.

        Args:
            help_text: see Parameter.
            choices: the names; a callable is asked for them at each request, and the schema does not list them.
            options: see Parameter.
        """
        super().__init__(help_text, **options)
        self.choices = choices

    def schema(self) -> Schema:
        return (
            {"type": "string", "minLength": 1}
            if callable(self.choices)
            else {"type": "string", "enum": list(self.choices)}
        )

    def parse(self, text: str) -> str:
        choices = tuple(self.choices() if callable(self.choices) else self.choices)
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return text


class LanguageParameter(Parameter):
    """One of some languages, also as a locale of it: `de`, `de-AT`, `de_DE`."""

    def __init__(self, help_text: str, *, languages: Sequence[str], **options: Any) -> None:
        """Declare the parameter, one of the languages by their codes of two letters; options: see Parameter."""
        super().__init__(help_text, **options)
        self.languages = languages

    def schema(self) -> Schema:
        return {"type": "string", "pattern": f"^({'|'.join(self.languages)})([-_][A-Za-z0-9]{{1,8}}){{0,4}}$"}

    def parse(self, text: str) -> str:
        found = re.fullmatch(self.schema()["pattern"][1:-1], text)
        if found is None:
            raise ValueError(f"must be one of {', '.join(self.languages)}, alone or with a region: de, de-AT")
        return found[1]


class TextParameter(Parameter):
    """A text without control characters."""

    pattern = rf"^[^{_CONTROL_CHARACTERS}]*$"

    def __init__(self, help_text: str, *, max_length: int, **options: Any) -> None:
        """Declare the parameter, a text of up to `max_length` characters; options: see Parameter."""
        super().__init__(help_text, **options)
        self.max_length = max_length

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": self.pattern}

    def parse(self, text: str) -> str:
        if len(text) > self.max_length:
            raise ValueError(f"is longer than {self.max_length} characters")
        if re.search(f"[{_CONTROL_CHARACTERS}]", text):
            raise ValueError("contains control characters")
        return text


class ParagraphsParameter(TextParameter):
    """A text that may have tabs and several lines."""

    pattern = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]*$"

    def parse(self, text: str) -> str:
        super().parse(text.translate(_WHITESPACE))
        return text


class SlugPathParameter(TextParameter):
    """The path of a category: slugs with slashes between them."""

    pattern = rf"^[^/{_CONTROL_CHARACTERS}]+(?:/[^/{_CONTROL_CHARACTERS}]+)*$"

    def parse(self, text: str) -> str:
        path = super().parse(text)
        if path.startswith("/") or path.endswith("/") or "//" in path:
            raise ValueError("must be a path of slugs such as clothing/shirts")
        return path


class KeyValueParameter(TextParameter):
    """`name=text`, any number of times."""

    multiple = True
    _name = rf"[^={_CONTROL_CHARACTERS}]*"
    pattern = rf"^{_name}[^=\s{_CONTROL_CHARACTERS}]{_name}=[^{_CONTROL_CHARACTERS}]*$"

    def parse(self, text: str) -> str:
        name, equals, _ = super().parse(text).partition("=")
        if not (name.strip() and equals):
            raise ValueError("must have the form field=column or field=text")
        return text


# Stands in the declared name of a parameter for the names that clients choose.
ANY_NAME = "<name>"


class NamedTextParameter(TextParameter):
    """Texts by names that the client chooses, declared as `attribute.<name>`: `attribute.colour=blue`, any number of times.

    Its value is a tuple of names, each with its texts.
    """

    multiple = True


class Parameters(serializers.Serializer[Any]):
    """The parameters of an endpoint: subclasses declare them as fields, and views list the class in `extend_schema`."""

    @classmethod
    def parse(cls, *sources: QueryDict, errors: Iterable[ParameterError] = ()) -> dict[str, Any]:
        """Read the parameters of a request. Those that trackers add to addresses (`utm_source`, `fbclid`) are passed over.

        Args:
            sources: the query string and, where they may be given there, too, the form.
            errors: errors of the request that were found before; they are reported with the others.

        Returns:
            The values of the parameters that were given or have a default, by the names of their `source`.

        Raises:
            InvalidParameters: with all errors.
        """
        values, found = cls._read(sources, errors)
        for conflict in cls.conflicts(values):
            found.setdefault(conflict.parameter, conflict)
        if found:
            raise InvalidParameters([*found.values()])
        return values

    @classmethod
    def check(cls, *sources: QueryDict) -> None:
        """Check parameters each by itself, where more of them may follow: the query string, before a long form is read.

        Args:
            sources: as for `parse`.

        Raises:
            InvalidParameters: with all errors.
        """
        _, found = cls._read(sources, ())
        if found:
            raise InvalidParameters([*found.values()])

    @classmethod
    def _read(
        cls, sources: Sequence[QueryDict], errors: Iterable[ParameterError]
    ) -> tuple[dict[str, Any], dict[str, ParameterError]]:
        """The values of the parameters, and what is wrong with each of the others."""
        fields = _fields(cls)
        values = dict(_defaults(cls))
        found = {error.parameter: error for error in errors}
        for name in dict.fromkeys(name for source in sources for name in source):
            if name not in fields and _TRACKING.fullmatch(name) and name in sources[0]:
                continue
            texts = [text for source in sources for text in source.getlist(name)]
            try:
                field, chosen_name = _known(fields, name)
                value = _parse(field, texts)
                source = str(field.source)
                if chosen_name:
                    value = (*values.get(source, ()), (field.parse(chosen_name), value))
                values[source] = value
            except ValueError as error:
                found.setdefault(name, ParameterError(name, str(error)))
        return values, found

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterable[ParameterError]:  # noqa: ARG003
        """The errors of values that are valid each, but not together. values: those that could be parsed."""
        return ()

    @classmethod
    def form_schema(cls) -> dict[str, Schema]:
        """The JSON Schema of each parameter as a part of a form, with description and default."""
        return {name: _form_schema(field) for name, field in _fields(cls).items()}


class NoParameters(Parameters):
    """For endpoints that have none."""


@cache
def _fields(parameters: type[Parameters]) -> Mapping[str, Parameter]:
    """One bound instance of each field: they have no state, and binding them for every request would take longer than parsing."""
    return cast("Mapping[str, Parameter]", dict(parameters().fields.items()))


@cache
def _defaults(parameters: type[Parameters]) -> Mapping[str, Any]:
    fields = _fields(parameters).values()
    return {str(field.source): field.default for field in fields if field.default is not empty}


def _known(fields: Mapping[str, Parameter], name: str) -> tuple[Parameter, str]:
    """The parameter of this name, and of a NamedTextParameter the name that the client has chosen."""
    prefix, _, chosen_name = name.partition(".")
    if chosen_name and (named := fields.get(f"{prefix}.{ANY_NAME}")):
        return named, chosen_name
    if name not in fields:
        nearest = get_close_matches(name, fields)
        meant = f"the nearest: {', '.join(nearest)}; " if nearest else ""
        raise ValueError(f"is not a known parameter; {meant}known parameters: {', '.join(fields) or 'none'}")
    return fields[name], ""


def _parse(field: Parameter, texts: Sequence[str]) -> Any:
    if len(texts) > 1 and not field.multiple:
        raise ValueError(GIVEN_TWICE)
    if field.max_times is not None and len(texts) > field.max_times:
        raise ValueError(f"is given more than {field.max_times} times")
    if not all(texts):
        raise ValueError("is empty: give a value or omit the parameter")
    values = tuple(map(field.parse, texts))
    return values if field.multiple else values[0]


def _form_schema(field: Parameter) -> Schema:
    default = {} if field.default is empty else {"default": field.default}
    return {**_schema(field), **default, "description": str(field.help_text)}


def _schema(field: Parameter) -> Schema:
    if not field.multiple:
        return field.schema()
    most = {} if field.max_times is None else {"maxItems": field.max_times}
    return {"type": "array", "items": field.schema(), **most}


class _ParameterExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """Has drf-spectacular describe a parameter by its own schema."""

    target_class = Parameter
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Schema:  # noqa: ARG002
        example = {} if self.target.example is None else {"example": self.target.example}
        return {**_schema(self.target), **example}


def with_parameter_examples(result: Schema, **_: Any) -> Schema:
    """Move the example of each parameter from its schema, where drf-spectacular leaves it, to the parameter itself.

    Args:
        result: the OpenAPI schema, which is changed.

    Returns:
        The same schema.
    """
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", ()):
                if "example" in parameter["schema"]:
                    name = parameter["name"]
                    example = {"value": parameter["schema"].pop("example"), "summary": name}
                    parameter["examples"] = {name.capitalize(): example}
    return result
