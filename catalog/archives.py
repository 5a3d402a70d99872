"""What a safe zip archive is: the one gate for archives that come from outside, whatever is to be made of them.

The size of the directory, the names, the kinds of entries and the sizes that they claim are judged before anything is unpacked;
whether the sizes were true, while it is. Overlapping entries are refused for the bombs that are made of them (Fifield, "A better
zip bomb", WOOT 2019).
"""

from __future__ import annotations

import copy
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from django.conf import settings

from jobs.storage import storage_errors

# Photos hardly shrink. A table of text shrinks tenfold, and a small one may as well be all spaces.
_MAX_RATIO = 200
_RATIO_FLOOR_BYTES = 1024 * 1024
_MAX_WHOLE_RATIO = 100
_WHOLE_RATIO_FLOOR_BYTES = 64 * 1024 * 1024

_CHUNK_BYTES = 256 * 1024
_LOCAL_HEADER_BYTES = 30
# What an entry takes in the directory, with a path and extra fields longer than any that we have seen on average.
_DIRECTORY_BYTES_PER_FILE = 512
_DIRECTORY_FLOOR_BYTES = 1024 * 1024
_DIRECTORY_SIGNATURE = b"PK\x01\x02"
_MAX_PART_BYTES = 255
_MAX_PATH_BYTES = 1024

_DRIVE = re.compile(r"[A-Za-z]:")
_PASSED_OVER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_NAME_IS_UTF8 = 0x800
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# All that Python's zipfile raises on hostile or damaged bytes.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class Reason(StrEnum):
    """Why an archive was refused."""

    UNREADABLE = "unreadable"
    NOT_A_ZIP = "not_a_zip"
    DAMAGED = "damaged"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    TOO_MANY_FILES = "too_many_files"
    BOMB = "bomb"
    WRONG_SIZE = "wrong_size"
    UNSAFE_PATH = "unsafe_path"
    SPECIAL_FILE = "special_file"
    DUPLICATE = "duplicate"
    ENCRYPTED = "encrypted"
    COMPRESSION = "compression"


class ArchiveRejected(ValueError):
    """This is not an archive that we take. The message says what to do about it."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive. name: its path within, with forward slashes and composed accents (NFC). size: unpacked, in bytes."""

    name: str
    size: int


class SafeArchive:
    """A zip archive that passed the gate; ArchiveRejected otherwise.

    `members`: its files in the order of the archive, without folders, hidden files and what desktops leave behind.
    The limits default to the settings ARCHIVE_MAX_UNPACKED_BYTES and ARCHIVE_MAX_FILES; the latter counts folders too.
    A file that is given stays open at the end; one that is named by its path is closed by `close`.
    """

    members: Sequence[Member]

    def __init__(
        self, source: Path | BinaryIO, *, max_unpacked_bytes: int | None = None, max_files: int | None = None
    ) -> None:
        self._max_unpacked = settings.ARCHIVE_MAX_UNPACKED_BYTES if max_unpacked_bytes is None else max_unpacked_bytes
        self._max_files = settings.ARCHIVE_MAX_FILES if max_files is None else max_files
        file = _opened(source) if isinstance(source, Path) else source
        self._own = file if isinstance(source, Path) else None
        try:
            self._zip = self._directory(file)
            self._entries = self._checked()
        except BaseException:
            self.close()
            raise
        self.members = tuple(Member(name, entry.file_size) for name, entry in self._entries.items())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file, if it was opened here."""
        if self._own is not None:
            self._own.close()

    def read(self, name: str, *, max_bytes: int | None = None) -> bytes:
        """The content of one member, KeyError where there is none. max_bytes defaults to the setting PHOTO_MAX_BYTES."""
        limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
        entry = self._entries[name]
        if entry.file_size > limit:
            raise ArchiveRejected(
                Reason.TOO_LARGE, f"{_shown(name)} is larger than {limit:,} bytes: put a smaller file into the archive"
            )
        return b"".join(self._chunks(name))

    def verify(self, on_file: Callable[[int], object] | None = None) -> None:
        """Read everything once, in constant memory: each file is whole, and as large as it says. on_file: told 1 for each."""
        for name in self._entries:
            for _ in self._chunks(name):
                pass
            if on_file:
                on_file(1)

    def extract_to(self, folder: Path, on_file: Callable[[int], object] | None = None) -> None:
        """Unpack every member into a folder that is new or empty. Ends with ArchiveRejected at the first that is damaged.

        Raises StorageUnavailable where something cannot be written.
        """
        with storage_errors("the archive's content", folder):
            folder.mkdir(parents=True, exist_ok=True)
            root = folder.resolve(strict=True)
        for name in self._entries:
            with storage_errors("the archive's content", folder):
                self._extract(name, root)
            if on_file:
                on_file(1)

    def _extract(self, name: str, root: Path) -> None:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve(strict=True).is_relative_to(root):
            raise _unsafe(name, "leads out of the folder that the archive is unpacked into")
        with target.open("xb") as file:
            for chunk in self._chunks(name):
                file.write(chunk)

    def _directory(self, file: BinaryIO) -> zipfile.ZipFile:
        guard = _DirectoryGuard(file, self._max_files)
        try:
            return zipfile.ZipFile(guard)
        except ArchiveRejected:
            raise
        except _ZIP_ERRORS as error:
            raise _no_directory(file, error) from error
        finally:
            guard.opening = False

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        """The members by their names, after all that can be told without unpacking."""
        entries = self._zip.infolist()
        if len(entries) > self._max_files:
            raise _too_many(self._max_files)
        members: dict[str, zipfile.ZipInfo] = {}
        seen: set[str] = set()
        for entry in entries:
            _refuse_special(entry)
            name = _safe_name(entry)
            if name is None:
                continue
            key = _same_name(name)
            if key in seen:
                raise ArchiveRejected(
                    Reason.DUPLICATE,
                    f"the archive has {_shown(name)} twice (capitals do not count): pack the folder again",
                )
            seen.add(key)
            members[name] = entry
        if not members:
            raise ArchiveRejected(Reason.EMPTY, "there is no file in the archive: pack a folder of photos")
        _refuse_files_below_files(members, seen)
        _refuse_overlaps(entries, self._zip.start_dir)
        self._refuse_bombs(entries)
        return members

    def _refuse_bombs(self, entries: Sequence[zipfile.ZipInfo]) -> None:
        unpacked = sum(entry.file_size for entry in entries)
        packed = sum(entry.compress_size for entry in entries)
        whole_is_bomb = unpacked > max(_WHOLE_RATIO_FLOOR_BYTES, _MAX_WHOLE_RATIO * packed)
        if whole_is_bomb or any(_is_bomb(entry) for entry in entries):
            raise ArchiveRejected(
                Reason.BOMB,
                f"the archive unpacks to {unpacked:,} bytes from {packed:,}, which no photos do: pack the photos themselves",
            )
        if unpacked > self._max_unpacked:
            raise ArchiveRejected(
                Reason.TOO_LARGE,
                f"the archive unpacks to {unpacked:,} bytes, and at most {self._max_unpacked:,} are taken:"
                " send fewer or smaller photos",
            )

    def _chunks(self, name: str) -> Iterator[bytes]:
        """The content, in pieces; ArchiveRejected at the end, or earlier, where it is not what the directory says."""
        entry = self._entries[name]
        probe = copy.copy(entry)
        # zipfile cuts a file off at the size that it claims; a byte more shows whether there was more. The sum is taken here.
        probe.file_size += 1
        del probe.CRC
        size, checksum = 0, 0
        try:
            with self._zip.open(probe) as file:
                while size <= entry.file_size and (chunk := file.read(_CHUNK_BYTES)):
                    size += len(chunk)
                    checksum = zlib.crc32(chunk, checksum)
                    if size <= entry.file_size:
                        yield chunk
        except _ZIP_ERRORS as error:
            raise _damaged(f"{_shown(name)} cannot be unpacked ({error})") from error
        if size != entry.file_size:
            raise ArchiveRejected(
                Reason.WRONG_SIZE,
                f"{_shown(name)} is not as large as the archive says: pack the folder again with another program",
            )
        if checksum != entry.CRC:
            raise _damaged(f"the checksum of {_shown(name)} is wrong")


def wrapping_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The folder in which all of these lie, where each lies in a folder within it too; else the archive's own root (".")."""
    top = {path.parts[0] for path in paths}
    wrapped = len(top) == 1 and all(len(path.parts) > 2 for path in paths)
    return PurePosixPath(top.pop()) if wrapped else PurePosixPath()


class _DirectoryGuard:
    """The archive's file, which refuses to hand out a directory that would fill the memory."""

    def __init__(self, file: BinaryIO, max_files: int) -> None:
        self._file = file
        self._max_files = max_files
        self._max_bytes = max(_DIRECTORY_FLOOR_BYTES, max_files * _DIRECTORY_BYTES_PER_FILE)
        self.opening = True

    def read(self, size: int = -1, /) -> bytes:
        if self.opening and size > self._max_bytes:
            raise _too_many(self._max_files)
        content = self._file.read(size)
        if self.opening and content.count(_DIRECTORY_SIGNATURE) > self._max_files:
            raise _too_many(self._max_files)
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """Whoever opened the file closes it."""


def _opened(path: Path) -> BinaryIO:
    try:
        # Opening a pipe or a device could wait for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArchiveRejected(Reason.UNREADABLE, f"{path} is a folder or a device, not a file")
        return path.open("rb")
    except OSError as error:
        raise ArchiveRejected(Reason.UNREADABLE, f"{path} cannot be read: {error.strerror or error}") from error


def _no_directory(file: BinaryIO, error: Exception) -> ArchiveRejected:
    """The best explanation of bytes in which zipfile finds no directory that it understands."""
    file.seek(0)
    beginning = file.read(4)
    if not beginning:
        return ArchiveRejected(Reason.EMPTY, "the file is empty: send a zip archive with a folder of photos")
    if beginning[:2] != b"PK":
        return ArchiveRejected(Reason.NOT_A_ZIP, "the file is not a zip archive: pack the folder of photos as .zip")
    return _damaged(f"its end is missing or cannot be read ({error})")


def _damaged(what: str) -> ArchiveRejected:
    return ArchiveRejected(Reason.DAMAGED, f"the archive is damaged: {what}; pack it again, and send all of it")


def _too_many(limit: int) -> ArchiveRejected:
    return ArchiveRejected(
        Reason.TOO_MANY_FILES, f"the archive has more than {limit:,} entries: send fewer photos at a time"
    )


def _unsafe(name: str, what: str) -> ArchiveRejected:
    return ArchiveRejected(
        Reason.UNSAFE_PATH, f"the entry {_shown(name)} {what}: pack the folder again, by relative paths"
    )


def _shown(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


def _refuse_special(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise ArchiveRejected(
            Reason.SPECIAL_FILE,
            f"{_shown(entry.filename)} is a link or a device: pack the photos themselves, not links to them",
        )
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveRejected(
            Reason.ENCRYPTED, f"{_shown(entry.filename)} is encrypted: pack the folder without a password"
        )
    if entry.compress_type not in _COMPRESSION:
        raise ArchiveRejected(
            Reason.COMPRESSION,
            f"{_shown(entry.filename)} is packed by a method that is not taken: use deflate or none, as a .zip does by default",
        )


def _safe_name(entry: zipfile.ZipInfo) -> str | None:
    """The member's name; None for a folder, a hidden file or what a desktop left behind. Raises for one that leads elsewhere."""
    parts: list[str] = []
    # The name as it stands in the directory has what zipfile cuts off, and a Unicode field may say something else.
    for name in (entry.orig_filename, entry.filename):
        parts = _safe_parts(_as_utf8(name, entry))
    if not parts or entry.orig_filename.endswith(("/", "\\")) or entry.is_dir():
        return None
    if any(part.startswith(".") or part in _PASSED_OVER for part in parts):
        return None
    return "/".join(parts)


def _as_utf8(name: str, entry: zipfile.ZipInfo) -> str:
    """Macs write UTF-8 and do not say so; zipfile then reads it as code page 437."""
    if entry.flag_bits & _NAME_IS_UTF8 or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except UnicodeError:
        return name


def _safe_parts(name: str) -> list[str]:
    # Windows tools write folder\1.jpg.
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise _unsafe(name, "has control characters in its name")
    if path.startswith("/") or _DRIVE.match(path):
        raise _unsafe(name, "is an absolute path")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _unsafe(name, "leads out of the archive")
    if len(path.encode()) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
        raise _unsafe(name, "has too long a name")
    return parts


def _same_name(name: str) -> str:
    """Equal for names that one file system or another takes for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _is_bomb(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > max(_RATIO_FLOOR_BYTES, _MAX_RATIO * entry.compress_size)


def _refuse_files_below_files(members: dict[str, zipfile.ZipInfo], keys: set[str]) -> None:
    for name in members:
        folder = name
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if _same_name(folder) in keys:
                raise ArchiveRejected(
                    Reason.DUPLICATE, f"{_shown(folder)} is a file and a folder at once: pack the folder again"
                )


def _refuse_overlaps(entries: Sequence[zipfile.ZipInfo], directory_at: int) -> None:
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise ArchiveRejected(
                Reason.BOMB, f"the entry {_shown(entry.filename)} overlaps another: pack the folder again"
            )
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
    if end > directory_at:
        raise _damaged("an entry reaches into its directory")
