"""The console handler, which redacts API keys in log lines; traces use the same redaction."""

from __future__ import annotations

import logging
import re

# The format of accounts.keys, repeated here because a model cannot be imported before logging is set up. No word boundary in
# front: in URLs there may be `%20`, in JSON the `n` of `\\n`.
_KEY = re.compile(r"([ps]k_)[\w-]{43,}", re.ASCII)


def redact_keys(text: str) -> str:
    """Shorten every API key to its prefix.

    Args:
        text: any text.

    Returns:
        The text with `pk_…` and `sk_…` in place of keys.
    """
    return _KEY.sub(r"\1…", text)


class RedactingStreamHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Redacts API keys in the whole line, including the request's URL and tracebacks that Django appends."""

    def format(self, record: logging.LogRecord) -> str:
        """Format the record and redact keys."""
        return redact_keys(super().format(record))
