"""JSON as a text, the same that REST framework's renderer sends."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.utils.encoders import JSONEncoder

# JSON can spell them, and no database stores them in a text.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")

_encoder = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
# JavaScript takes these for ends of lines.
_LINE_SEPARATORS = {0x2028: "\\u2028", 0x2029: "\\u2029"}


def json_text(value: Any) -> str:
    """Make the JSON of a value.

    Args:
        value: what REST framework renders.

    Returns:
        The text, as short as it can be.
    """
    text = _encoder.encode(value)
    return text if text.isascii() else text.translate(_LINE_SEPARATORS)
