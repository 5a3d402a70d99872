"""What a process has read of the catalogue, kept for as long as the catalogue's stamp stays.

A stamp is read before what it stands for: so nothing kept is older than its stamp, and a change by any process ends all of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Generic, TypeVar

from catalog.stamps import may_lag

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, of one stamp. A subclass says what of, and belongs to a registry.

    Attributes:
        most: how many values at most; those that were kept first make room.
    """

    most: ClassVar[int]

    def __init__(self) -> None:
        self._stamp: int | None = None
        self._values: dict[K, V] = {}
        self._lock = threading.Lock()

    def is_small(self, value: V) -> bool:  # noqa: ARG002
        """Whether a value is kept, so that `most` of them are a bound of memory."""
        return True

    def get_each(self, stamp: int | None, keys: Iterable[K], read: Callable[[list[K]], Mapping[K, V]]) -> dict[K, V]:
        """Get values, and keep those that have to be read.

        Args:
            stamp: of the catalogue, read before this call; None: nothing is kept.
            keys: of the values.
            read: reads values by their keys, of those that there are.

        Returns:
            The values by key, in no order. They are shared: nobody changes them.
        """
        if stamp is None or may_lag():
            return {**read([*keys])}
        values = self._of(stamp)
        found: dict[K, V] = {}
        missing: list[K] = []
        for key in keys:
            value = values.get(key)
            if value is None:
                missing.append(key)
            else:
                found[key] = value
        if missing:
            fresh = read(missing)
            found.update(fresh)
            with self._lock:
                values.update((key, value) for key, value in fresh.items() if self.is_small(value))
                while len(values) > self.most:
                    del values[next(iter(values))]
        return found

    def _of(self, stamp: int) -> dict[K, V]:
        """The values of a stamp. A request with an older one goes on with its own, which are lost with it."""
        with self._lock:
            if stamp != self._stamp:
                self._stamp, self._values = stamp, {}
            return self._values
