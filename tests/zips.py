"""Archives for tests: valid ones, and ones with manipulated fields."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Mapping, Sequence

from tests.factories import jpeg, numbered_colour

PHOTOS = {f"{folder}/{number}.jpg": jpeg(numbered_colour(number)) for folder in ("mugs", "hats") for number in range(3)}


def packed(
    files: Mapping[str, bytes] | Sequence[tuple[str | zipfile.ZipInfo, bytes]] = PHOTOS,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A zip of these files; by default a training set of two classes. The same files always give the same bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items() if isinstance(files, Mapping) else files:
            archive.writestr(_entry(name, compression) if isinstance(name, str) else name, content)
    return file.getvalue()


def _entry(name: str, compression: int) -> zipfile.ZipInfo:
    """An entry as writestr creates it, but with a fixed time."""
    entry = zipfile.ZipInfo(name)
    entry.compress_type = compression
    entry.external_attr = (stat.S_IFDIR | 0o775) << 16 | 0x10 if entry.is_dir() else 0o600 << 16
    return entry


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    """A symbolic link, as Unix tools store it."""
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    return entry, target.encode()


def encrypted(archive: bytes) -> bytes:
    """The archive with the first entry marked as encrypted."""
    return _patched(archive, 8, struct.pack("<H", 1))


def said_size(archive: bytes, size: int) -> bytes:
    """The archive with this size declared for the first entry."""
    return _patched(archive, 24, struct.pack("<L", size))


def said_offset(archive: bytes, entry: int, offset: int) -> bytes:
    """The archive with this offset declared for an entry (0, 1, ...)."""
    return _patched(archive, 42, struct.pack("<L", offset), entry)


def said_method(archive: bytes, method: int) -> bytes:
    """The archive with this compression method declared for the first entry."""
    return _patched(archive, 10, struct.pack("<H", method))


def renamed(archive: bytes, name: bytes, other: bytes) -> bytes:
    """The archive with a name replaced by another of the same length, as a hostile program may write it."""
    assert len(name) == len(other)
    assert archive.count(name) == 2
    return archive.replace(name, other)


def _patched(archive: bytes, at: int, value: bytes, entry: int = 0) -> bytes:
    """The archive with a value changed in the directory, at this offset of an entry."""
    start = -1
    for _ in range(entry + 1):
        start = archive.index(b"PK\x01\x02", start + 1)
    return archive[: start + at] + value + archive[start + at + len(value) :]
