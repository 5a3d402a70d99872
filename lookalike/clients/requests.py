"""All requests of the API as a collection for Postman or Bruno, made from the OpenAPI schema."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lookalike.clients.openapi import (
    FORM_TYPE,
    JSON_TYPE,
    Operation,
    Parameter,
    Schema,
    example_of,
    operations,
)
from rest.parameters import ANY_NAME

_POSTMAN_SCHEMA = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
# What the demo shop has; what a path names besides is empty, for whoever sends the request.
_FIRST_VALUES = {"product_id": "1", "slug": "all"}
# A search by words needs some, though no parameter of it is required by itself.
_NEEDED = {("text_search", "text")}


@dataclass(frozen=True, slots=True)
class _Field:
    """A parameter or a form's field with an example. on: whether it is sent as it stands."""

    name: str
    value: str
    on: bool
    description: str
    is_file: bool = False


@dataclass(frozen=True, slots=True)
class _Request:
    operation: Operation
    query: list[_Field]
    headers: list[_Field]
    json_body: str
    form: list[_Field]


def postman(document: Schema, base_url: str) -> dict[str, str]:
    """The collection for Postman (format 2.1), which other tools read, too.

    Args:
        document: The OpenAPI schema.
        base_url: What the variable baseUrl is at first.

    Returns:
        The text of its file, by its name.
    """
    requests = [_request(each) for each in operations(document)]
    folders = [
        {"name": tag, "item": [_postman_item(each) for each in requests if each.operation.tag == tag]}
        for tag in _tags(requests)
    ]
    collection = {
        "info": {
            "name": document["info"]["title"],
            "description": document["info"].get("description", ""),
            "schema": _POSTMAN_SCHEMA,
        },
        "auth": {"type": "bearer", "bearer": [{"key": "token", "value": "{{apiKey}}", "type": "string"}]},
        "variable": [{"key": name, "value": value} for name, value in _variables(requests, base_url).items()],
        "item": folders,
    }
    return {"lookalike.postman_collection.json": json.dumps(collection, indent=2, ensure_ascii=False) + "\n"}


def bruno(document: Schema, base_url: str) -> dict[str, str]:
    """The collection for Bruno: a file for each request.

    Args:
        document: The OpenAPI schema.
        base_url: What the variable baseUrl is at first.

    Returns:
        The text of each file, by its path.
    """
    requests = [_request(each) for each in operations(document)]
    title = document["info"]["title"]
    variables = _variables(requests, base_url)
    own = [f"{name}: {value}" for name, value in variables.items() if name != "apiKey"]
    files = {
        "bruno.json": json.dumps({"version": "1", "name": title, "type": "collection", "ignore": []}, indent=2) + "\n",
        "collection.bru": _blocks(("auth", ["mode: bearer"]), ("auth:bearer", ["token: {{apiKey}}"])),
        "environments/shop.bru": _blocks(("vars", own)) + "\nvars:secret [\n  apiKey\n]\n",
    }
    for number, tag in enumerate(_tags(requests), 1):
        files[f"{tag}/folder.bru"] = _blocks(("meta", [f"name: {tag}", f"seq: {number}"]))
        for place, request in enumerate((each for each in requests if each.operation.tag == tag), 1):
            files[str(PurePosixPath(tag, f"{request.operation.name}.bru"))] = _bruno_request(request, place)
    return files


def _tags(requests: list[_Request]) -> list[str]:
    return list(dict.fromkeys(each.operation.tag for each in requests))


def _variables(requests: list[_Request], base_url: str) -> dict[str, str]:
    """The variables of a collection: where the API is, the key, and what paths name."""
    named = {
        each.name: _text(each.example) or _FIRST_VALUES.get(each.name, "")
        for request in requests
        for each in request.operation.in_place("path")
    }
    return {"baseUrl": base_url, "apiKey": "", **named}


def _request(operation: Operation) -> _Request:
    form = operation.bodies.get(FORM_TYPE, {})
    body = operation.bodies.get(JSON_TYPE, {})
    properties = {} if body else form.get("schema", {}).get("properties", {})
    required = form.get("schema", {}).get("required", ())
    in_form = [_form_field(name, each, on=name in required or _is_file(each)) for name, each in properties.items()]
    return _Request(
        operation,
        [_query_field(operation, each) for each in operation.in_place("query") if each.name not in properties],
        [_Field(each.name, "", each.required, each.description) for each in operation.in_place("header")],
        json.dumps(_body(body), indent=2, ensure_ascii=False) if body else "",
        in_form,
    )


def _query_field(operation: Operation, parameter: Parameter) -> _Field:
    on = parameter.required or (operation.name, parameter.name) in _NEEDED
    return _field(parameter.name, parameter.schema, parameter.example, parameter.description, on=on)


def _form_field(name: str, schema: Schema, *, on: bool) -> _Field:
    return _field(name, schema, example_of(schema), schema.get("description", ""), on=on)


def _field(name: str, schema: Schema, example: Any, description: str, *, on: bool) -> _Field:
    if name.endswith(ANY_NAME):
        return _Field(name.replace(ANY_NAME, "colour"), "blue", on, description)
    value = example if example is not None else schema.get("default", (schema.get("enum") or [""])[0])
    return _Field(name, _text(value), on, description, _is_file(schema))


def _is_file(schema: Schema) -> bool:
    return "binary" in (schema.get("format"), schema.get("items", {}).get("format"))


def _text(value: Any) -> str:
    if isinstance(value, list):
        value = value[0] if value else ""
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _body(body: Schema) -> Any:
    """An example of a JSON body: the declared one, or one of the examples of its required fields and those that have any."""
    example = example_of(body)
    return _made_up(body.get("schema", {})) if example is None else example


def _made_up(schema: Schema) -> Any:
    example = example_of(schema)
    if example is not None:
        return example
    for choice in ("oneOf", "anyOf"):
        if choice in schema:
            return _made_up(schema[choice][0])
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("properties"):
        required = schema.get("required", ())
        fields = schema["properties"].items()
        return {name: _made_up(each) for name, each in fields if name in required or example_of(each) is not None}
    if schema.get("type") == "array":
        return [_made_up(schema.get("items", {}))]
    return {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "object": {}}.get(
        schema.get("type", ""), ""
    )


def _path(operation: Operation) -> str:
    return re.sub(r"\{(\w+)\}", r":\1", operation.path)


def _address(request: _Request) -> str:
    sent = "&".join(f"{each.name}={each.value}" for each in request.query if each.on)
    return "{{baseUrl}}" + _path(request.operation) + (f"?{sent}" if sent else "")


def _postman_item(request: _Request) -> dict[str, Any]:
    operation = request.operation
    body: dict[str, Any] = {}
    if request.json_body:
        body = {"mode": "raw", "raw": request.json_body, "options": {"raw": {"language": "json"}}}
    elif request.form:
        body = {"mode": "formdata", "formdata": [_postman_form_field(each) for each in request.form]}
    return {
        "name": operation.summary,
        "request": {
            "method": operation.method,
            "description": operation.description,
            "header": [_postman_field(each) for each in request.headers],
            "url": {
                "raw": _address(request),
                "host": ["{{baseUrl}}"],
                "path": _path(operation).strip("/").split("/"),
                "query": [_postman_field(each) for each in request.query],
                "variable": [
                    {"key": each.name, "value": f"{{{{{each.name}}}}}", "description": each.description}
                    for each in operation.in_place("path")
                ],
            },
            **({"body": body} if body else {}),
        },
        "response": [],
    }


def _postman_field(field: _Field) -> dict[str, Any]:
    named = {"key": field.name, "value": field.value, "description": field.description}
    return named if field.on else {**named, "disabled": True}


def _postman_form_field(field: _Field) -> dict[str, Any]:
    if not field.is_file:
        return {**_postman_field(field), "type": "text"}
    return {"key": field.name, "type": "file", "src": [], "description": field.description}


def _bruno_request(request: _Request, place: int) -> str:
    operation = request.operation
    kind = "json" if request.json_body else "multipartForm" if request.form else "none"
    blocks = [
        ("meta", [f"name: {operation.summary}", "type: http", f"seq: {place}"]),
        (operation.method.lower(), [f"url: {_address(request)}", f"body: {kind}", "auth: inherit"]),
        ("params:query", [_bruno_line(each) for each in request.query]),
        ("params:path", [f"{each.name}: {{{{{each.name}}}}}" for each in operation.in_place("path")]),
        ("headers", [_bruno_line(each) for each in request.headers]),
        ("body:json", request.json_body.splitlines()),
        ("body:multipart-form", [_bruno_line(each) for each in request.form]),
        ("docs", operation.description.splitlines()),
    ]
    return _blocks(*[(name, lines) for name, lines in blocks if lines])


def _bruno_line(field: _Field) -> str:
    return f"{'' if field.on else '~'}{field.name}: {'@file()' if field.is_file else field.value}"


def _blocks(*blocks: tuple[str, list[str]]) -> str:
    texts = [f"{name} {{\n" + "".join(f"  {line}".rstrip() + "\n" for line in lines) + "}\n" for name, lines in blocks]
    return "\n".join(texts)


FORMATS: Mapping[str, Callable[[Schema, str], dict[str, str]]] = {"postman": postman, "bruno": bruno}
