"""The log's console, and what neither a line of it nor a trace may have."""

from __future__ import annotations

import logging
import re

# As accounts.keys makes them; a model cannot be imported before the log is set up. What stands before one may be anything: in
# an address `%20`, in JSON the `n` of a line's end.
_KEY = re.compile(r"([ps]k_)[\w-]{43,}", re.ASCII)


def without_keys(text: str) -> str:
    """The text with every API key shortened to its kind."""
    return _KEY.sub(r"\1…", text)


class ConsoleHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Leaves of an API key only which kind it is, in the whole line: Django adds the request with its address, and tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return without_keys(super().format(record))
