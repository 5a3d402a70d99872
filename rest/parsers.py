"""Parsers of request bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from rest.errors import EncodedBody


class JsonParser(BaseParser):
    """JSON in UTF-8, strictly; too deep nesting, on which Python's parser raises RecursionError, is malformed, too."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Parse the document. Raises ParseError, and EncodedBody for a compressed one."""
        encoding = parser_context["request"].headers.get("Content-Encoding", "") if parser_context else ""
        try:
            # With the byte order mark that programs of Windows write, or without it.
            return json.loads(stream.read().decode("utf-8-sig"), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            # Some clients name the characters there, `utf-8`, and send JSON as it is.
            if encoding.lower() not in ("", "identity", "utf-8"):
                raise EncodedBody(encoding) from error
            raise ParseError(f"The body is not JSON in UTF-8: {str(error)[:100]}") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
