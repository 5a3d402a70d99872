"""A file of changes, for engines that only write whole files: what was acknowledged is there after a crash."""

from __future__ import annotations

import errno
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embeddings.errors import IndexFull, IndexUnavailable

# Lengths of the JSON and of the vectors in bytes, and the CRC-32 of both.
_HEAD = struct.Struct("<QQI")


class Journal:
    """Changes in the order they were made, each whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Name the file, which is made by the first change.

        Args:
            path: of the file.
        """
        self._path = path
        self.size = path.stat().st_size if path.exists() else 0

    def append(self, change: Any, vectors: NDArray[np.float32] | None = None) -> None:
        """Write a change. It outlives a kill of the process; a power cut may take the last seconds.

        Args:
            change: JSON values.
            vectors: float32 [n, dim].

        Raises:
            IndexFull: the disk has no room; nothing was written.
            IndexUnavailable: the file cannot be written.
        """
        text = json.dumps(change, separators=(",", ":")).encode()
        raw = b"" if vectors is None else np.ascontiguousarray(vectors, np.float32).tobytes()
        record = _HEAD.pack(len(text), len(raw), zlib.crc32(raw, zlib.crc32(text))) + text + raw
        try:
            with self._path.open("ab") as file:
                # Behind what is whole: an earlier write may have failed halfway.
                file.truncate(self.size)
                file.write(record)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise IndexFull(f"the index {self._path.parent} has no room: {error.strerror}") from error
            raise IndexUnavailable(f"the index {self._path.parent} cannot be written: {error.strerror}") from error
        self.size += len(record)

    def changes(self, dim: int) -> Iterator[tuple[Any, NDArray[np.float32]]]:
        """What was written, in order. A change that was cut off by a crash is dropped, with everything behind it.

        Args:
            dim: of the vectors.

        Yields:
            The change and float32 [n, dim], its vectors.
        """
        if not self.size:
            return
        whole = 0
        with self._path.open("rb") as file:
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                text_size, raw_size, check = _HEAD.unpack(head)
                if text_size + raw_size > self.size - file.tell():
                    break
                text, raw = file.read(text_size), file.read(raw_size)
                if zlib.crc32(raw, zlib.crc32(text)) != check:
                    break
                whole = file.tell()
                yield json.loads(text), np.frombuffer(raw, np.float32).reshape(-1, max(dim, 1))[:, :dim]
        self.size = whole
