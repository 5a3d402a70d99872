"""The port of the stores of files: Django's storage interface, and what ours need beside it.

There are three: photos, trained encoders, and what was sent for jobs. Each is a folder, or a part of a bucket (STORAGE_URL). Nobody
else knows which: files are opened by name, and whoever needs one as a file on a disk asks for `local`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from django.core.files.storage import Storage, storages

# Their names in the setting STORAGES.
PHOTOS, ENCODERS, UPLOADS = "default", "encoders", "uploads"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a store.

    Attributes:
        name: its path in the store.
        size: in bytes.
        modified_at: when it was written.
    """

    name: str
    size: int
    modified_at: datetime


class GrowingFile(Protocol):
    """A file that is written over a while, perhaps by one process after another."""

    @property
    def path(self) -> Path:
        """The file on this machine, to be written to."""

    def sync(self) -> None:
        """Keep what has been written so far for a process that goes on with it."""

    def finish(self) -> None:
        """Make it a file of the store."""

    def discard(self) -> None:
        """Drop it."""


class FileStore(Storage):
    """A store of files. A file is there whole or not at all, and every method raises an OSError where the store fails.

    Attributes:
        is_local: whether looking for a file costs microseconds, not a request.
    """

    is_local: bool

    @property
    @abstractmethod
    def place(self) -> str:
        """Where it is, for messages."""

    @abstractmethod
    def put(self, name: str, source: bytes | BinaryIO | Path) -> None:
        """Store a file under exactly this name; one that is there is replaced.

        Args:
            name: its path in the store.
            source: content, seekable file at its beginning, or path.
        """

    @abstractmethod
    def take(self, name: str, path: Path) -> None:
        """Store a file of this machine that nobody needs any more, without copying it where that is possible.

        Args:
            name: its path in the store.
            path: the file; best one in `scratch`.
        """

    @abstractmethod
    def take_folder(self, folder: str, path: Path) -> None:
        """Store a folder of this machine that nobody needs any more, as `take` does a file; of a failure nothing is left.

        Args:
            folder: its path in the store, where nothing is yet.
            path: the folder, in `scratch`.
        """

    @abstractmethod
    def link(self, name: str, other: str) -> None:
        """Give a file a second name; deleting one leaves the other.

        Args:
            name: of the file.
            other: the new name.

        Raises:
            FileNotFoundError: there is no such file.
        """

    @abstractmethod
    def touch(self, name: str) -> None:
        """Set the time of a file to now. Raises FileNotFoundError."""

    @abstractmethod
    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        """All files below a folder, if there is one; files of folders without folders in the order of their names."""

    @abstractmethod
    def is_empty(self, folder: str) -> bool:
        """Whether nothing is in a folder, or there is none, as when a disk is not mounted."""

    @abstractmethod
    def local(self, name: str) -> AbstractContextManager[Path]:
        """A file as a file on a disk of this machine, to be read until the block ends. Raises FileNotFoundError."""

    @abstractmethod
    def local_folder(self, folder: str) -> AbstractContextManager[Path]:
        """A folder with all its files on a disk of this machine, to be read until the block ends. Raises FileNotFoundError."""

    @abstractmethod
    def delete_folder(self, folder: str) -> None:
        """Delete all files below a folder, if there is one."""

    @abstractmethod
    def scratch(self) -> Path:
        """A folder of this machine for files that are going to be stored. Raises OSError."""

    @abstractmethod
    def growing(self, name: str, kept_bytes: int) -> AbstractContextManager[GrowingFile]:
        """Write a file over a while.

        Args:
            name: its path in the store; the store has it when it is finished, and others that end like it until then.
            kept_bytes: of what was kept by `sync`; the rest is dropped. 0 to begin.

        Returns:
            A context manager with the file. What was not finished at its end may be gone on with.
        """

    @abstractmethod
    def begin_parts(self, name: str) -> str:
        """Begin a file that arrives in parts.

        Args:
            name: its path in the store.

        Returns:
            What the other methods for parts need to know; at most 1,024 characters.
        """

    @abstractmethod
    def parts_size(self, name: str, key: str) -> int | None:
        """How much of a file has arrived.

        Args:
            name: its path in the store.
            key: of `begin_parts`.

        Returns:
            Number of bytes; None where there is no such file any more.
        """

    @abstractmethod
    def append_part(self, name: str, key: str, part: Iterator[bytes], *, missing: int) -> int:
        """Append to a file.

        Args:
            name: its path in the store.
            key: of `begin_parts`.
            part: its bytes. Where they end in an error, what came before may be kept.
            missing: bytes that the file lacks without them; with so many it is whole.

        Returns:
            Number of bytes that were kept, from the beginning of the part.
        """

    @abstractmethod
    def end_parts(self, name: str, key: str) -> None:
        """Make the file that was sent in parts: from now on it is one as any other."""

    @abstractmethod
    def abort_parts(self, name: str, key: str) -> None:
        """Drop a file whose parts have not all arrived."""


def photos() -> FileStore:
    """The store of photos and thumbnails; `default_storage` is the same."""
    return cast("FileStore", storages[PHOTOS])


def encoders() -> FileStore:
    """The store of trained encoders."""
    return cast("FileStore", storages[ENCODERS])


def uploads() -> FileStore:
    """The store of what was sent for jobs, and of what they write for their users."""
    return cast("FileStore", storages[UPLOADS])
