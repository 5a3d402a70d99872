"""Reads a mapping of columns to fields that somebody keeps in a file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from product_files.mapping import ATTRIBUTE_PREFIX, FieldMapping
from product_files.rows import InvalidSource


def load_mapping(path: Path) -> FieldMapping:
    """Read a mapping file in TOML: the tables [columns] and [values], and options of FieldMapping at the top.

    Args:
        path: the file.

    Returns:
        The mapping.

    Raises:
        InvalidSource: the file cannot be read or is not a mapping.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSource(f"the mapping {path} cannot be read: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSource(f"the mapping {path} is not TOML: {error}") from error
    # Options that are not texts are those of an import, not of a table.
    allowed = [option.name for option in fields(FieldMapping) if option.type not in ("bool", "frozenset[str]")]
    unknown = sorted(content.keys() - set(allowed))
    if unknown:
        raise InvalidSource(f"the mapping {path} has {', '.join(unknown)}: allowed are {', '.join(allowed)}")
    columns = _table(content, "columns", path)
    values = _table(content, "values", path)
    options = {name: value for name, value in content.items() if name not in ("columns", "values")}
    texts = [
        *options.values(),
        *values.values(),
        *(column for value in columns.values() for column in _as_tuple(value)),
    ]
    if not all(isinstance(text, str) for text in texts):
        raise InvalidSource(
            f'the mapping {path} has a value that is not text: write it in quotes, as in currency = "EUR"'
        )
    return FieldMapping(columns={name: _as_tuple(value) for name, value in columns.items()}, values=values, **options)


def _table(content: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, dict):
        raise InvalidSource(f"{name} in the mapping {path} has to be a table: [{name}]")
    # In TOML attribute.colour = "shade" is a nested table.
    attributes = table.pop(ATTRIBUTE_PREFIX.rstrip("."), {})
    return {**table, **{f"{ATTRIBUTE_PREFIX}{key}": value for key, value in attributes.items()}}


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
