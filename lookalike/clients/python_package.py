"""A Python package that is a client of the API: typed, and without dependencies. It is made from the OpenAPI schema."""

from __future__ import annotations

import json
import keyword
import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.clients.openapi import FORM_TYPE, JSON_TYPE, Operation, Parameter, Schema, operations
from rest.parameters import ANY_NAME

PACKAGE = "lookalike_client"
_TRANSPORT = Path(__file__).with_name("transport.py")
_WIDTH = 116
_MADE = "Made from the OpenAPI schema by `manage.py export_client`: make it again rather than change it."
_FORMATS = {"binary": "File", "date-time": "datetime", "decimal": "Decimal"}
_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def python_package(document: Schema, version: str) -> dict[str, str]:
    """The files of the package.

    Args:
        document: The OpenAPI schema.
        version: Version of the package.

    Returns:
        The text of each file, by its path. The same schema gives the same texts.
    """
    types = _Types(document["components"]["schemas"])
    methods = [_method(each, types) for each in operations(document)]
    models = [_model(name, schema, types) for name, schema in types.components.items() if "properties" in schema]
    inputs = [*types.inputs.values()]
    errors = re.findall(r"^class (\w+)\((?:LookalikeError|ApiError|Exception)\)", _TRANSPORT.read_text(), re.MULTILINE)
    return {
        "pyproject.toml": _PYPROJECT.format(version=version, package=PACKAGE),
        "README.md": _README,
        f"{PACKAGE}/py.typed": "",
        f"{PACKAGE}/__init__.py": _init(errors),
        f"{PACKAGE}/transport.py": _TRANSPORT.read_text(),
        f"{PACKAGE}/models.py": _MODELS + "\n\n\n".join(["\n".join(types.aliases()), *models, *inputs]) + "\n",
        f"{PACKAGE}/client.py": _CLIENT + "\n" + "\n".join(methods),
    }


class _Types:
    """Schemas as annotations of Python. Objects that stand in requests become TypedDicts, collected in `inputs`."""

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self.components = {_class_name(name): schema for name, schema in components.items()}
        if len(self.components) < len(components):
            raise ValueError("two schemas have the same name without their suffix")
        self.inputs: dict[str, str] = {}

    def aliases(self) -> list[str]:
        enums = {name: schema for name, schema in self.components.items() if "enum" in schema}
        return [_folded(f"{name} = {_literal(schema['enum'])}") for name, schema in enums.items()]

    def of(self, schema: Schema, name: str = "", *, module: str = "") -> str:
        """The annotation of a schema.

        Args:
            schema: The schema.
            name: In a request: what its objects are called.
            module: Prefix of the package's own classes.

        Returns:
            Code of Python.
        """
        if "$ref" in schema:
            own = _class_name(schema["$ref"].rpartition("/")[2])
            return "None" if self.components[own].get("type") == "null" else module + own
        if "enum" in schema:
            return _literal(schema["enum"])
        for each in ("allOf", "oneOf", "anyOf"):
            if each in schema and "properties" not in schema:
                return _union(self.of(part, name, module=module) for part in schema[each])
        kinds = schema.get("type", [])
        if isinstance(kinds, list):
            return _union(self.of({**schema, "type": kind}, name, module=module) for kind in kinds) or "Any"
        if kinds == "array":
            items = self.of(schema.get("items", {}), name.removesuffix("s"), module=module)
            return f"Sequence[{items}]" if name else f"list[{items}]"
        if kinds == "object":
            return self._object(schema, name, module)
        return _FORMATS.get(schema.get("format", "") if kinds == "string" else "", _TYPES[kinds])

    def _object(self, schema: Schema, name: str, module: str) -> str:
        if not schema.get("properties"):
            values = self.of(schema.get("additionalProperties") or {}, module=module) if not name else "Any"
            return f"{'Mapping' if name else 'dict'}[str, {values}]"
        own = _camel(schema["title"]) if "title" in schema else name
        required = schema.get("required", ())
        lines = [f"class {own}(TypedDict):"]
        lines += [*_docstring([schema.get("description") or f"{own}, as a request has it."], 4), ""]
        for field, declared in schema["properties"].items():
            annotation = self.of(declared, own + _camel(field))
            lines.append(_folded(f"    {field}: {annotation if field in required else f'NotRequired[{annotation}]'}"))
        self.inputs[own] = "\n".join(lines)
        return module + own


@dataclass(frozen=True, slots=True)
class _Argument:
    """An argument of a method; `wire` is its name in the request, and a default of "" means that it has to be given."""

    wire: str
    annotation: str
    default: str
    description: str
    prefix: str = ""

    @property
    def name(self) -> str:
        if self.wire.endswith(ANY_NAME):
            return "attributes"
        return _identifier(self.prefix + re.sub(r"\W", "_", self.wire).lower())

    def declared(self) -> str:
        return f"{self.name}: {self.annotation}" + (f" = {self.default}" if self.default else "")


def _method(operation: Operation, types: _Types) -> str:
    body = operation.bodies.get(JSON_TYPE, {}).get("schema", {})
    form = operation.bodies.get(FORM_TYPE, {}).get("schema", {})
    common = (body or form).get("properties", {})
    only_in_form = {name: each for name, each in form.get("properties", {}).items() if name not in common}
    fields = _fields(operation, body or form, types, unset=bool(body))
    files = _fields(operation, {"properties": only_in_form}, types, unset=False)
    path = [_Argument(each.name, types.of(each.schema), "", each.description) for each in operation.in_place("path")]
    query = [
        _parameter(each, types) for each in operation.in_place("query") if each.name not in form.get("properties", {})
    ]
    headers = [_parameter(each, types) for each in operation.in_place("header")]

    send = [f'"{operation.method}", {_address(operation)}']
    send += [f"query={_dict(query)}"] if query else []
    send += [f"headers={_dict(headers)}"] if headers else []
    before: list[str] = []
    if files:
        before = [f"fields: dict[str, Any] = {_dict(fields, 8)}", f"files = given({_dict(files, 8)})"]
        send.append("body=None if files else fields, form=fields | files if files else None")
    elif body:
        send.append(f"body={_dict(fields)}")
    elif form:
        send.append(f"form=given({_dict(fields)})")
    arguments = [*path, *fields, *files, *query, *headers]
    returns = _answer(operation, types)
    name = _identifier(operation.name)
    lines = [
        *_signature(name, arguments, returns),
        *_docstring([operation.summary + ".", operation.description, *_sections(arguments, returns)], 8),
        *(f"        {line}" for line in before),
        *_call(send, returns),
    ]
    if any(each.wire == "cursor" for each in query):
        lines += ["", *_every_page(name, operation, [*path, *query], types)]
    return "\n".join(lines) + "\n"


def _fields(operation: Operation, body: Schema, types: _Types, *, unset: bool) -> list[_Argument]:
    """The fields of a body as arguments, those first that have to be given."""
    found = []
    for name, schema in body.get("properties", {}).items():
        owner = _camel(operation.name) + _camel(name)
        annotation = _NAMED_VALUES if name.endswith(ANY_NAME) else types.of(schema, owner, module="models.")
        default = "" if name in body.get("required", ()) else "UNSET" if unset else "None"
        of = _union([annotation, *{"": (), "UNSET": ("Unset",), "None": ("None",)}[default]])
        taken = any(each.name == name for each in operation.in_place("path"))
        found.append(_Argument(name, of, default, schema.get("description", ""), prefix="new_" if taken else ""))
    return sorted(found, key=lambda each: bool(each.default))


def _parameter(parameter: Parameter, types: _Types) -> _Argument:
    annotation = _NAMED_VALUES if parameter.name.endswith(ANY_NAME) else types.of(parameter.schema, "Values")
    if parameter.required:
        return _Argument(parameter.name, annotation, "", parameter.description)
    return _Argument(parameter.name, f"{annotation} | None", "None", parameter.description)


def _answer(operation: Operation, types: _Types) -> str:
    if JSON_TYPE in operation.answers:
        return types.of(operation.answers[JSON_TYPE], module="models.")
    return "str" if operation.answers else "None"


def _call(arguments: Iterable[str], returns: str) -> list[str]:
    """The statements that send a request and return its answer."""
    lines = [
        f"        {'' if returns == 'None' else 'answer = '}self._transport.send(",
        *(f"            {each}," for each in arguments),
        "        )",
    ]
    read = {"None": [], "str": ["        return answer.decode()"]}
    return lines + read.get(returns, [f"        return decoded({returns}, answer)"])


def _address(operation: Operation) -> str:
    path = re.sub(r"\{(\w+)\}", r"{in_path(\1)}", operation.path)
    return f'f"{path}"' if "{" in path else f'"{path}"'


def _dict(arguments: Iterable[_Argument], indent: int = 12) -> str:
    arguments = [*arguments]
    pairs = [f'"{each.wire}": {each.name}' for each in arguments if not each.wire.endswith(ANY_NAME)]
    space, text = " " * indent, ", ".join(pairs)
    if len(text) > _WIDTH // 2:
        text = "\n" + "".join(f"{space}    {pair},\n" for pair in pairs) + space
    named = any(each.wire.endswith(ANY_NAME) for each in arguments)
    return f"with_attributes({{{text}}}, attributes)" if named else f"{{{text}}}"


def _signature(name: str, arguments: Iterable[_Argument], returns: str) -> list[str]:
    """The head of a method: what has to be given may be given without its name."""
    arguments = [*arguments]
    needed = [each.declared() for each in arguments if not each.default]
    others = [each.declared() for each in arguments if each.default]
    listed = ["self", *needed, *(["*", *others] if others else [])]
    return [f"    def {name}(", *(_folded(f"        {each},") for each in listed), f"    ) -> {returns}:"]


def _every_page(name: str, operation: Operation, arguments: Iterable[_Argument], types: _Types) -> list[str]:
    """A second method, which goes through all pages by cursor."""
    names = {each.wire for each in arguments}
    own = [each for each in arguments if each.wire not in ("cursor", "page", "pagination")]
    page = types.components[types.of(operation.answers[JSON_TYPE])]
    item = types.of(page["properties"]["results"]["items"], module="models.")
    call = [f"{each.name}={each.name}" for each in own] + (['pagination="cursor"'] if "pagination" in names else [])
    about = f"Go through all pages of `{name}`; the next one is asked for when it is needed."
    return [
        *_signature(f"all_{name}", own, f"Iterator[{item}]"),
        *_docstring([about, *_sections(own, "Yields")], 8),
        _folded(f"        page = self.{name}({', '.join(call)})"),
        "        yield from page.results",
        "        while cursor := cursor_of(page.next):",
        _folded(f"            page = self.{name}({', '.join([*call, 'cursor=cursor'])})"),
        "            yield from page.results",
    ]


def _model(name: str, schema: Schema, types: _Types) -> str:
    """A dataclass of an answer."""
    described = {field: each["description"] for field, each in schema["properties"].items() if each.get("description")}
    attributes = ["Attributes:", *(f"    {field}: {_one_line(text)}" for field, text in described.items())]
    about = [schema.get("description") or "Of an answer.", *(["\n".join(attributes)] if described else [])]
    lines = ["@dataclass(frozen=True, kw_only=True)", f"class {name}:", *_docstring(about, 4), ""]
    for field, declared in schema["properties"].items():
        annotation = types.of(declared)
        if field not in schema.get("required", ()):
            annotation = (annotation if "None" in annotation.split(" | ") else f"{annotation} | None") + " = None"
        lines.append(f"    {field}: {annotation}")
    return "\n".join(lines)


def _sections(arguments: Iterable[_Argument], returns: str) -> list[str]:
    """Of a docstring: arguments, result, errors."""
    listed = [f"    {each.name}: {_one_line(each.description) or 'As the API has it.'}" for each in arguments]
    result = {"None": "", "str": "Returns:\n    The text.", "Yields": "Yields:\n    Each of them."}
    return [
        "\n".join(["Args:", *listed]) if listed else "",
        result.get(returns, "Returns:\n    The answer."),
        "Raises:\n    ApiError: The API reports a problem.\n    NoAnswer: There is no answer of the API.",
    ]


def _docstring(paragraphs: Iterable[str], indent: int) -> list[str]:
    space, quotes = " " * indent, '"' * 3
    lines: list[str] = []
    for paragraph in filter(None, paragraphs):
        lines += [""] if lines else []
        for line in _joined(paragraph.replace("\\", "\\\\").replace(quotes, "'" * 3)):
            deeper = " " * (len(line) - len(line.lstrip(" -")) + (4 if re.match(r" +\w+: ", line) else 0))
            lines += textwrap.wrap(
                line, _WIDTH - indent, subsequent_indent=deeper, break_long_words=False, break_on_hyphens=False
            ) or [""]
    if len(lines) == 1:
        return [f"{space}{quotes}{lines[0]}{quotes}"]
    return [f"{space}{quotes}{lines[0]}", *(space + line if line else "" for line in lines[1:]), f"{space}{quotes}"]


def _joined(text: str) -> list[str]:
    """The lines of a text, with those of a paragraph as one."""
    lines: list[str] = []
    for line in text.splitlines():
        plain = bool(re.match(r"[A-Za-z0-9`(]", line))
        if plain and lines and lines[-1] and not lines[-1].endswith(":"):
            lines[-1] += " " + line
        else:
            lines.append(line)
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _identifier(name: str) -> str:
    return name + "_" if keyword.iskeyword(name) else name


def _class_name(component: str) -> str:
    return re.sub(r"(?<=[a-z])(?:Schema|Enum)$", "", component)


def _camel(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"\W|_", name))


def _folded(line: str) -> str:
    """A line, broken within its brackets if it is long."""
    if len(line) <= _WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return textwrap.fill(line, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _literal(values: Iterable[Any]) -> str:
    return f"Literal[{', '.join(json.dumps(value) for value in values)}]"


def _union(parts: Iterable[str]) -> str:
    unique = dict.fromkeys(one for part in parts for one in re.split(r" \| (?![^\[]*\])", part))
    return " | ".join(sorted(unique, key=lambda part: part == "None"))


def _init(errors: list[str]) -> str:
    own = ["UNSET", *sorted(["File", *errors])]
    listed = "".join(f"    {name},\n" for name in own)
    exported = "".join(f'    "{name}",\n' for name in ["UNSET", *sorted(["Client", *own[1:]])])
    return (
        f'"""A client of a Lookalike recommender.\n\n{_MADE}\n"""\n\n'
        f"from {PACKAGE}.client import Client\nfrom {PACKAGE}.transport import (\n{listed})\n\n__all__ = [\n{exported}]\n"
    )


_NAMED_VALUES = "Mapping[str, str | Sequence[str]]"

_MODELS = f'''"""What the API answers, and what lists in requests consist of.

{_MADE}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, NotRequired, TypedDict

'''

_CLIENT = f'''"""The operations of the API.

{_MADE}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from {PACKAGE} import models
from {PACKAGE}.transport import (
    UNSET,
    File,
    Transport,
    Unset,
    cursor_of,
    decoded,
    given,
    in_path,
    with_attributes,
)


class Client:
    """A recommender, asked by methods that are named for the operations of its API.

    A parameter that is None is not sent. In a JSON body None is null, and what is UNSET is not sent.

    Args:
        base_url: Address of the recommender, e.g. `https://shop.example/lookalike`.
        key: An API key, publishable to read or secret to write; None where none is needed.
        timeout_s: Seconds that an answer may take.

    Raises:
        ValueError: base_url is no address of the web.
    """

    def __init__(self, base_url: str, key: str | None = None, *, timeout_s: float = 30) -> None:
        self._transport = Transport(base_url, key, timeout_s)
'''

_PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "lookalike-client"
version = "{version}"
description = "A client of a Lookalike recommender: visually similar products."
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = []

[tool.setuptools]
packages = ["{package}"]

[tool.setuptools.package-data]
{package} = ["py.typed"]
"""

_README = """# Lookalike client

A client of a Lookalike recommender for Python 3.11 and later. It is typed, synchronous, and needs nothing but Python's
standard library.

```python
from lookalike_client import Client, NotFound

client = Client("https://recommender.example", key="pk_...")
try:
    answer = client.similar_by_sku("MUG-17", limit=4, min_price=5)
except NotFound as error:
    print(error.kind, error.detail)
else:
    print([each.product.title for each in answer.results])
```

Each operation of the API is a method; its docstring has the parameters. The files were made from the API's OpenAPI schema by
`manage.py export_client`.
"""
