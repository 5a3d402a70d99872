"""What a process has read of the catalogue, kept for as long as the catalogue's stamp stays.

A stamp is read before what it stands for: so nothing kept is older than its stamp, and a change by any process ends all of it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar, Generic, TypeVar

from catalog.stamps import may_lag

K = TypeVar("K")
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key, of one stamp. A subclass says what of, and belongs to a registry.

    Attributes:
        most: how much is kept, in the unit of `size`; those that were kept first make room.
    """

    most: ClassVar[int]

    def __init__(self) -> None:
        self._stamp: int | None = None
        # Not a dict, which looks for its first key behind all that were taken out before it.
        self._values: OrderedDict[K, V] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def size(self, value: V) -> int:  # noqa: ARG002
        """What a value takes of `most`."""
        return 1

    def is_small(self, value: V) -> bool:
        """Whether a value is kept, so that `most` is a bound of memory."""
        return self.size(value) <= self.most

    def find(self, stamp: int | None, key: K) -> V | None:
        """Get one value if it is kept; others make room before it from now on.

        Args:
            stamp: as in `get_each`.
            key: of the value.

        Returns:
            The value, which nobody changes; None if it is not kept.
        """
        if stamp is None or may_lag():
            return None
        values = self._of(stamp)
        with self._lock:
            value = values.get(key)
            if value is not None:
                values.move_to_end(key)
            return value

    def keep(self, stamp: int | None, key: K, value: V) -> None:
        """Keep what `find` has not found.

        Args:
            stamp: the same; if the catalogue has changed since, nothing is kept.
            key: of the value.
            value: read or made since `find`.
        """
        with self._lock:
            if stamp is not None and stamp == self._stamp and not may_lag():
                self._add(self._values, {key: value})

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
                # Else they are of a stamp that is past, and lost.
                if values is self._values:
                    self._add(values, fresh)
        return found

    def _add(self, values: OrderedDict[K, V], fresh: Mapping[K, V]) -> None:
        for key, value in fresh.items():
            if self.is_small(value):
                # Another request may have read the same meanwhile.
                before = values.pop(key, None)
                self._size += self.size(value) - (0 if before is None else self.size(before))
                values[key] = value
        while self._size > self.most:
            _, oldest = values.popitem(last=False)
            self._size -= self.size(oldest)

    def _of(self, stamp: int) -> OrderedDict[K, V]:
        """The values of a stamp. A request with an older one goes on with its own, which are lost with it."""
        with self._lock:
            if stamp != self._stamp:
                self._stamp, self._values, self._size = stamp, OrderedDict(), 0
            return self._values
