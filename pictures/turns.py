"""The memory that decoding photos may take: each within limits, and a process decodes one large photo at a time."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from types import TracebackType
from typing import Self

from django.conf import settings

from jobs.memory import give_memory_back

# Pictures that take more memory are decoded one at a time.
_LARGE_BYTES = 64 * 1024**2
# The same of a visitor's photo: every thread of a process may have one that is not large.
_VISITORS_LARGE_BYTES = 16 * 1024**2
# How long a visitor's large photo waits until others are decoded; a thread that waits answers nobody.
_VISITORS_WAIT_S = 1.0


class DecoderBusy(Exception):
    """Other large photos are being decoded in this process, and one more would take too much memory."""

    def __init__(self) -> None:
        super().__init__(
            "other large photos are being read at the moment: send it again in a moment, or send a smaller one"
        )


@dataclass(frozen=True, slots=True)
class Limits:
    """What a photo may take.

    Attributes:
        decoded_bytes: of memory while it is decoded.
        pixels: None for as many as the memory allows.
        large_bytes: a photo that takes more is decoded alone.
        wait_s: how long it waits for its turn; -1 for as long as it takes.
    """

    decoded_bytes: int
    pixels: int | None
    large_bytes: int
    wait_s: float

    @classmethod
    def of_catalogue(cls) -> Self:
        """Those of a catalogue's photo."""
        return cls(settings.PHOTO_MAX_DECODED_BYTES, None, _LARGE_BYTES, -1)

    @classmethod
    def of_visitors(cls) -> Self:
        """Those of a photo that a visitor searches with."""
        most = min(settings.PHOTO_MAX_DECODED_BYTES, settings.SEARCH_PHOTO_MAX_DECODED_BYTES)
        return cls(most, settings.SEARCH_PHOTO_MAX_PIXELS, _VISITORS_LARGE_BYTES, _VISITORS_WAIT_S)


class Turn:
    """The turn of a large picture, of which a process decodes one at a time; it ends with the block."""

    _one_large_picture = Lock()

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._is_taken = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._is_taken:
            # Eight that were decoded one after the other, each in a thread of its own, held up to 450 MB.
            give_memory_back()
            self._one_large_picture.release()

    def take(self, needed: int) -> None:
        """Wait for the turn if the picture needs so many bytes that it is large.

        Raises:
            DecoderBusy: others took too long.
        """
        if needed > self.limits.large_bytes:
            self.wait()

    def wait(self) -> None:
        """Wait for the turn.

        Raises:
            DecoderBusy: others took too long.
        """
        if self._is_taken:
            return
        if not self._one_large_picture.acquire(timeout=self.limits.wait_s):
            raise DecoderBusy
        self._is_taken = True
