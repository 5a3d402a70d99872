"""What a store of files cannot do, as an error of the operating system: readers and writers handle both alike."""

from __future__ import annotations


class StoreError(OSError):
    """The store does not do what it was asked. The message says what is wrong and what to do.

    Attributes:
        is_passing: whether the same request may succeed in a while, because the store is away or busy.
    """

    def __init__(self, number: int, message: str, *, is_passing: bool = False) -> None:
        """An error.

        Args:
            number: of `errno`, the nearest that an operating system has.
            message: a clause that ends with the remedy.
            is_passing: whether the same request may succeed in a while.
        """
        super().__init__(number, message)
        self.is_passing = is_passing

    def __str__(self) -> str:
        return str(self.strerror)
