"""The memory of this process."""

from __future__ import annotations

import ctypes
from contextlib import suppress


def give_memory_back() -> None:
    """Have glibc return what is free to the system, after work that took much. Else each thread's heap keeps some of it."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
