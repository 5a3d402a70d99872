"""Owns what a process keeps between calls: the runner of jobs and the threads. Tests begin with an empty one."""

from __future__ import annotations

import threading
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Registry:
    """Keeps one object of each class, made when it is first asked for."""

    def __init__(self) -> None:
        self._objects: dict[type, Any] = {}
        self._lock = threading.Lock()

    def get(self, kind: type[T]) -> T:
        """The one object of a class.

        Args:
            kind: a class whose constructor takes no arguments.

        Returns:
            The same object for every call, in every thread, until `clear`.
        """
        found = self._objects.get(kind)
        if found is None:
            with self._lock:
                found = self._objects.get(kind)
                if found is None:
                    found = self._objects[kind] = kind()
        return cast("T", found)

    def drop(self, kind: type) -> None:
        """Drop the object of a class. What is still written into it by who has it is lost with it.

        Args:
            kind: the class.
        """
        with self._lock:
            self._objects.pop(kind, None)

    def clear(self) -> None:
        """Drop every object; the next call makes a new one."""
        with self._lock:
            self._objects.clear()


process = Registry()
