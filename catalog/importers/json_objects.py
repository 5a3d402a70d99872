"""The objects of a large JSON file, one by one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalog.importers.rows import InvalidSource

_START = re.compile(r'\s*(?:\{\s*"\w+"\s*:\s*\[|\[)?')
_BETWEEN = re.compile(r"[\s,]*")
_CHUNK_CHARACTERS = 256 * 1024
# A product of Shopify with 2,048 variants and 250 photos has about 2 million.
_MAX_CHARACTERS = 16 * 1024 * 1024


class JsonUnreadable(ValueError):
    """The file cannot be read from here on."""


def json_objects(path: Path, encoding: str) -> Iterator[dict[str, Any]]:
    """The objects of a file: of a list, of a list in an object, or one after another.

    Args:
        path: the file.
        encoding: of the file.

    Yields:
        The objects, in bounded memory. Numbers are texts.

    Raises:
        JsonUnreadable: the file is damaged or has something else from here on.
        InvalidSource: the file cannot be opened.
    """
    decoder = json.JSONDecoder(parse_float=str, parse_int=str)
    try:
        file = path.open(encoding=encoding, errors="replace")
    except OSError as error:
        raise InvalidSource(f"{path} cannot be read: {error.strerror or error}") from error
    with file:
        buffer = file.read(_CHUNK_CHARACTERS)
        position = _end(_START, buffer, 0)
        while True:
            position = _end(_BETWEEN, buffer, position)
            if position == len(buffer) and (more := file.read(_CHUNK_CHARACTERS)):
                buffer, position = more, 0
                continue
            # Behind the list there may be the end of the object that it was in.
            if position == len(buffer) or buffer[position] in "]}":
                return
            try:
                content, end = decoder.raw_decode(buffer, position)
            except (ValueError, RecursionError) as error:
                # As much again, so that a long one is not decoded too often.
                more = file.read(max(_CHUNK_CHARACTERS, len(buffer) - position))
                if more and len(buffer) - position <= _MAX_CHARACTERS:
                    buffer, position = buffer[position:] + more, 0
                    continue
                raise JsonUnreadable(f"the object cannot be read as JSON: {error}") from error
            if not isinstance(content, dict):
                raise JsonUnreadable("the list has something that is not an object")
            yield content
            position = end


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position
