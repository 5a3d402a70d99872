"""What no line of the log may have."""

from __future__ import annotations

import logging
import re

# As recommender.keys makes them; a model cannot be imported before the log is set up.
_KEY = re.compile(r"\b([ps]k_)[\w-]{20,}")


class KeyFilter(logging.Filter):
    """Leaves of an API key only which kind it is."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let it pass."""
        told = record.getMessage()
        if _KEY.search(told):
            record.msg, record.args = _KEY.sub(r"\1…", told), None
        return True
