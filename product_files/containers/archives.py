"""Validates zip archives from outside, for imports and trainings.

The size of the central directory, names, types and declared sizes of entries are checked before anything is unpacked; whether
the sizes are true, during unpacking. Overlapping entries are refused, because zip bombs use them (Fifield, "A better zip bomb",
WOOT 2019).
"""

from __future__ import annotations

import copy
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import BinaryIO, Self

from django.conf import settings

from jobs import storage_facts
from jobs.facts import Fact
from jobs.storage import storage_errors
from pictures import photo_facts
from pictures.photo_facts import unreadable
from product_files import file_facts
from product_files.containers.charsets import UnclearCharset, detect

# Photos hardly compress. Tables of text compress tenfold, and small ones may consist of spaces.
_MAX_RATIO = 200
_RATIO_FLOOR_BYTES = 1024 * 1024
_MAX_WHOLE_RATIO = 100
_WHOLE_RATIO_FLOOR_BYTES = 64 * 1024 * 1024

_CHUNK_BYTES = 256 * 1024
_LOCAL_HEADER_BYTES = 30
# Size of an entry in the central directory, with a longer path and more extra fields than the average of any real archive.
_DIRECTORY_BYTES_PER_FILE = 512
_DIRECTORY_FLOOR_BYTES = 1024 * 1024
_DIRECTORY_SIGNATURE = b"PK\x01\x02"
_MAX_PART_BYTES = 255
_MAX_PATH_BYTES = 1024

_DRIVE = re.compile(r"[A-Za-z]:")
_IGNORED_FILES = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_NAME_IS_UTF8 = 0x800
# In which zipfile decodes names that are not marked as UTF-8.
_ZIP_CHARSET = "cp437"
_NAMES_SAMPLE_BYTES = 32 * 1024
_COMPRESSION = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

# Everything that Python's zipfile raises on hostile or damaged bytes.
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


class ArchiveRejectionReason(StrEnum):
    """Why an archive was rejected."""

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
    """The archive is damaged, unsafe or too large.

    Attributes:
        reason: which rule it breaks.
    """

    def __init__(self, reason: ArchiveRejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file in an archive.

    Attributes:
        name: path in the archive, with forward slashes and composed accents (NFC).
        size: unpacked, in bytes.
    """

    name: str
    size: int


class SafeArchive:
    """A valid zip archive.

    Args:
        source: path of the archive, which `close` closes; or a file, which stays open.
        max_unpacked_bytes: default: the setting ARCHIVE_MAX_UNPACKED_BYTES.
        max_files: files and folders; default: the setting ARCHIVE_MAX_FILES.

    Attributes:
        members: files in the order of the archive, without folders, hidden files and files of operating systems.

    Raises:
        ArchiveRejected: the archive is damaged, unsafe or too large.
    """

    members: Sequence[ArchiveMember]

    def __init__(
        self, source: Path | BinaryIO, *, max_unpacked_bytes: int | None = None, max_files: int | None = None
    ) -> None:
        self._max_unpacked = settings.ARCHIVE_MAX_UNPACKED_BYTES if max_unpacked_bytes is None else max_unpacked_bytes
        self._max_files = settings.ARCHIVE_MAX_FILES if max_files is None else max_files
        file = _open_archive(source) if isinstance(source, Path) else source
        self._own = file if isinstance(source, Path) else None
        try:
            self._zip = self._directory(file)
            self._entries = self._validated_members()
        except BaseException:
            self.close()
            raise
        self.members = tuple(ArchiveMember(name, entry.file_size) for name, entry in self._entries.items())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if it was opened here."""
        if self._own is not None:
            self._own.close()

    def read(self, name: str, *, max_bytes: int | None = None) -> bytes:
        """Read one member.

        Args:
            name: of the member.
            max_bytes: maximum size; default: the setting PHOTO_MAX_BYTES.

        Returns:
            The content.

        Raises:
            KeyError: there is no such member.
            ArchiveRejected: it is larger than `max_bytes`, or damaged.
        """
        limit = settings.PHOTO_MAX_BYTES if max_bytes is None else max_bytes
        entry = self._entries[name]
        if entry.file_size > limit:
            raise ArchiveRejected(
                ArchiveRejectionReason.TOO_LARGE,
                file_facts.MEMBER_TOO_LARGE(file=_display_name(name), limit=limit),
            )
        return b"".join(self._chunks(name))

    def start(self, name: str, size: int) -> bytes:
        """The first bytes of a member.

        Args:
            name: of the member.
            size: how many at most.

        Returns:
            Those, fewer of a shorter member.

        Raises:
            ArchiveRejected: it is damaged.
        """
        start = b""
        with closing(self._chunks(name)) as chunks:
            for chunk in chunks:
                start += chunk
                if len(start) >= size:
                    break
        return start[:size]

    def verify(self, on_progress: Callable[[int], object] | None = None) -> None:
        """Check that every member is complete and has its declared size, in constant memory.

        Args:
            on_progress: called with 1 after each member.

        Raises:
            ArchiveRejected: a member is damaged.
        """
        for name in self._entries:
            for _ in self._chunks(name):
                pass
            if on_progress:
                on_progress(1)

    def extract_to(
        self,
        folder: Path,
        on_progress: Callable[[int], object] | None = None,
        *,
        only: Collection[str] | None = None,
    ) -> None:
        """Unpack members.

        Args:
            folder: new or empty.
            on_progress: called with 1 after each member.
            only: names of the members; None for all.

        Raises:
            ArchiveRejected: a member is damaged; those before it are unpacked.
            StorageUnavailable: a file cannot be written.
        """
        with storage_errors(storage_facts.ARCHIVE_CONTENT(), folder):
            folder.mkdir(parents=True, exist_ok=True)
            root = folder.resolve(strict=True)
        for name in self._entries:
            if only is not None and name not in only:
                continue
            with storage_errors(storage_facts.ARCHIVE_CONTENT(), folder):
                self._extract(name, root)
            if on_progress:
                on_progress(1)

    def _extract(self, name: str, root: Path) -> None:
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.parent.resolve(strict=True).is_relative_to(root):
            raise _unsafe_path_error(name, file_facts.IS_OUTSIDE())
        with target.open("xb") as file:
            for chunk in self._chunks(name):
                file.write(chunk)

    def _directory(self, file: BinaryIO) -> zipfile.ZipFile:
        guard = _CentralDirectoryReader(file, self._max_files)
        try:
            return zipfile.ZipFile(guard)
        except ArchiveRejected:
            raise
        except _ZIP_ERRORS as error:
            raise _missing_directory_error(file, error) from error
        finally:
            guard.opening = False

    def _validated_members(self) -> dict[str, zipfile.ZipInfo]:
        """The members by name, after all checks that need no unpacking."""
        entries = self._zip.infolist()
        if len(entries) > self._max_files:
            raise _too_many_files_error(self._max_files)
        members: dict[str, zipfile.ZipInfo] = {}
        charset = _charset_of_names(entries)
        seen: set[str] = set()
        for entry in entries:
            _check_regular_file(entry)
            name = _safe_name(entry, charset)
            if name is None:
                continue
            key = _casefolded_name(name)
            if key in seen:
                raise ArchiveRejected(
                    ArchiveRejectionReason.DUPLICATE,
                    file_facts.MEMBER_TWICE(file=_display_name(name)),
                )
            seen.add(key)
            members[name] = entry
        if not members:
            raise ArchiveRejected(ArchiveRejectionReason.EMPTY, file_facts.ARCHIVE_EMPTY())
        _check_path_conflicts(members, seen)
        _check_overlaps(entries, self._zip.start_dir)
        self._check_compression_ratio(entries)
        return members

    def _check_compression_ratio(self, entries: Sequence[zipfile.ZipInfo]) -> None:
        unpacked = sum(entry.file_size for entry in entries)
        packed = sum(entry.compress_size for entry in entries)
        whole_is_bomb = unpacked > max(_WHOLE_RATIO_FLOOR_BYTES, _MAX_WHOLE_RATIO * packed)
        if whole_is_bomb or any(_exceeds_ratio(entry) for entry in entries):
            raise ArchiveRejected(
                ArchiveRejectionReason.BOMB,
                file_facts.ARCHIVE_BOMB(unpacked=unpacked, packed=packed),
            )
        if unpacked > self._max_unpacked:
            raise ArchiveRejected(
                ArchiveRejectionReason.TOO_LARGE,
                file_facts.ARCHIVE_TOO_LARGE(unpacked=unpacked, limit=self._max_unpacked),
            )

    def _chunks(self, name: str) -> Generator[bytes]:
        """The content in chunks. Raises ArchiveRejected if it differs from its entry in the directory."""
        entry = self._entries[name]
        probe = copy.copy(entry)
        # zipfile truncates a file at its declared size; one more byte shows whether it is longer. The checksum is computed here.
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
            raise _damaged_error(file_facts.MEMBER_UNREADABLE(file=_display_name(name), error=str(error))) from error
        if size != entry.file_size:
            raise ArchiveRejected(
                ArchiveRejectionReason.WRONG_SIZE,
                file_facts.MEMBER_WRONG_SIZE(file=_display_name(name)),
            )
        if checksum != entry.CRC:
            raise _damaged_error(file_facts.MEMBER_CHECKSUM(file=_display_name(name)))


def wrapping_folder(paths: Sequence[PurePosixPath]) -> PurePosixPath:
    """The folder that wraps the content of an archive.

    Args:
        paths: of all files.

    Returns:
        The only top-level folder, if every file is in a subfolder of it; otherwise the root (".").
    """
    top = {path.parts[0] for path in paths}
    wrapped = len(top) == 1 and all(len(path.parts) > 2 for path in paths)
    return PurePosixPath(top.pop()) if wrapped else PurePosixPath()


class _CentralDirectoryReader:
    """The file of an archive; reading a central directory that would fill the memory raises ArchiveRejected."""

    def __init__(self, file: BinaryIO, max_files: int) -> None:
        self._file = file
        self._max_files = max_files
        self._max_bytes = max(_DIRECTORY_FLOOR_BYTES, max_files * _DIRECTORY_BYTES_PER_FILE)
        self.opening = True

    def read(self, size: int = -1, /) -> bytes:
        if self.opening and size > self._max_bytes:
            raise _too_many_files_error(self._max_files)
        content = self._file.read(size)
        if self.opening and content.count(_DIRECTORY_SIGNATURE) > self._max_files:
            raise _too_many_files_error(self._max_files)
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        """The file is closed where it was opened."""


def _open_archive(path: Path) -> BinaryIO:
    try:
        # Opening a pipe or a device could block.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArchiveRejected(ArchiveRejectionReason.UNREADABLE, photo_facts.NOT_A_FILE(file=str(path)))
        return path.open("rb")
    except OSError as error:
        raise ArchiveRejected(ArchiveRejectionReason.UNREADABLE, unreadable(path, error)) from error


def _missing_directory_error(file: BinaryIO, error: Exception) -> ArchiveRejected:
    """The error for a file in which zipfile finds no central directory."""
    file.seek(0)
    beginning = file.read(4)
    if not beginning:
        return ArchiveRejected(ArchiveRejectionReason.EMPTY, file_facts.ARCHIVE_FILE_EMPTY())
    if beginning[:2] != b"PK":
        return ArchiveRejected(ArchiveRejectionReason.NOT_A_ZIP, file_facts.ARCHIVE_NOT_ZIP())
    return _damaged_error(file_facts.ARCHIVE_WITHOUT_END(error=str(error)))


def _damaged_error(what: Fact) -> ArchiveRejected:
    return ArchiveRejected(ArchiveRejectionReason.DAMAGED, file_facts.ARCHIVE_DAMAGED(what=what))


def _too_many_files_error(limit: int) -> ArchiveRejected:
    return ArchiveRejected(
        ArchiveRejectionReason.TOO_MANY_FILES,
        file_facts.ARCHIVE_TOO_MANY_FILES(limit=limit),
    )


def _unsafe_path_error(name: str, what: Fact) -> ArchiveRejected:
    return ArchiveRejected(
        ArchiveRejectionReason.UNSAFE_PATH,
        file_facts.MEMBER_UNSAFE(file=_display_name(name), what=what),
    )


def _display_name(name: str) -> str:
    return repr(name if len(name) <= 80 else f"{name[:77]}...")


def _check_regular_file(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind and not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise ArchiveRejected(
            ArchiveRejectionReason.SPECIAL_FILE,
            file_facts.MEMBER_SPECIAL(file=_display_name(entry.filename)),
        )
    if entry.flag_bits & _ENCRYPTED:
        raise ArchiveRejected(
            ArchiveRejectionReason.ENCRYPTED,
            file_facts.MEMBER_ENCRYPTED(file=_display_name(entry.filename)),
        )
    if entry.compress_type not in _COMPRESSION:
        raise ArchiveRejected(
            ArchiveRejectionReason.COMPRESSION,
            file_facts.MEMBER_COMPRESSION(file=_display_name(entry.filename)),
        )


def _safe_name(entry: zipfile.ZipInfo, charset: str) -> str | None:
    """The member's name in a character set.

    Returns:
        The name; None for folders, hidden files and files of operating systems.

    Raises:
        ArchiveRejected: the path is unsafe.
    """
    parts: list[str] = []
    # zipfile truncates names at NUL, and a Unicode extra field may have another name.
    for name in (entry.orig_filename, entry.filename):
        parts = _safe_parts(_decoded(name, entry, charset))
    if not parts or entry.orig_filename.endswith(("/", "\\")) or entry.is_dir():
        return None
    if any(part.startswith(".") or part in _IGNORED_FILES for part in parts):
        return None
    return "/".join(parts)


def _charset_of_names(entries: Sequence[zipfile.ZipInfo]) -> str:
    """The character set of names that are not marked as UTF-8, which zipfile then decodes as code page 437.

    macOS writes UTF-8 without the mark, and Windows the character set of its user's language.

    Returns:
        The name of a codec.
    """
    raw = [_raw_name(entry.filename) for entry in entries if not _has_known_charset(entry)]
    names = [name for name in dict.fromkeys(raw) if not name.isascii()]
    if all(_is_utf8(name) for name in names):
        return "utf-8"
    # One name a line, as lines of a text.
    sample = b"\n".join(names)[:_NAMES_SAMPLE_BYTES]
    try:
        return detect(sample)
    except UnclearCharset as unclear:
        # Nobody can be asked: what the format itself says, if it makes sense.
        likely = [name for name, _ in unclear.choices]
        return _ZIP_CHARSET if _ZIP_CHARSET in likely else likely[0]


def _has_known_charset(entry: zipfile.ZipInfo) -> bool:
    return bool(entry.flag_bits & _NAME_IS_UTF8) or entry.filename.isascii()


def _raw_name(name: str) -> bytes:
    try:
        return name.encode(_ZIP_CHARSET)
    except UnicodeError:
        # The Unicode extra field has another name.
        return name.encode()


def _is_utf8(name: bytes) -> bool:
    try:
        name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decoded(name: str, entry: zipfile.ZipInfo, charset: str) -> str:
    """The name in a character set; as zipfile has it, if that is impossible."""
    if entry.flag_bits & _NAME_IS_UTF8 or name.isascii():
        return name
    try:
        return name.encode(_ZIP_CHARSET).decode(charset)
    except UnicodeError:
        return name


def _safe_parts(name: str) -> list[str]:
    # Windows tools write folder\1.jpg.
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        raise _unsafe_path_error(name, file_facts.HAS_CONTROL_CHARACTERS())
    if path.startswith("/") or _DRIVE.match(path):
        raise _unsafe_path_error(name, file_facts.IS_ABSOLUTE())
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _unsafe_path_error(name, file_facts.LEADS_OUT())
    if len(path.encode()) > _MAX_PATH_BYTES or any(len(part.encode()) > _MAX_PART_BYTES for part in parts):
        raise _unsafe_path_error(name, file_facts.HAS_LONG_NAME())
    return parts


def _casefolded_name(name: str) -> str:
    """A key that is equal for names that some file system treats as equal."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


def _exceeds_ratio(entry: zipfile.ZipInfo) -> bool:
    return entry.file_size > max(_RATIO_FLOOR_BYTES, _MAX_RATIO * entry.compress_size)


def _check_path_conflicts(members: dict[str, zipfile.ZipInfo], keys: set[str]) -> None:
    for name in members:
        folder = name
        while "/" in folder:
            folder = folder.rpartition("/")[0]
            if _casefolded_name(folder) in keys:
                raise ArchiveRejected(
                    ArchiveRejectionReason.DUPLICATE,
                    file_facts.MEMBER_AND_FOLDER(file=_display_name(folder)),
                )


def _check_overlaps(entries: Sequence[zipfile.ZipInfo], directory_at: int) -> None:
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise ArchiveRejected(
                ArchiveRejectionReason.BOMB,
                file_facts.MEMBERS_OVERLAP(file=_display_name(entry.filename)),
            )
        end = entry.header_offset + _LOCAL_HEADER_BYTES + entry.compress_size
    if end > directory_at:
        raise _damaged_error(file_facts.ARCHIVE_DIRECTORY())
