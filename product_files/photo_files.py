"""Photos that rows name: files in one folder and nowhere else, and links, which `links` fetches."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urljoin

from pictures import photo_facts
from pictures.photos import (
    SUFFIXES,
    ImageRejected,
    PhotoRejectionReason,
    check_start,
    known_sha256,
    read_limited,
    validate_photo,
)
from product_files import row_facts
from product_files.rows import LoadedPhoto, PhotoSkipped, PhotoSource
from product_files.temporary_database import TemporaryDatabase, key_text, text_key

# Folders beside a table in which photos are looked for first.
_USUAL_FOLDERS = ("images", "photos")
# In a folder with more files, photos are found by their paths only.
_MAX_INDEXED = 300_000
_MAX_LISTED = 3
_START_BYTES = 1024
# As pages link: `//cdn.shop.example/1.jpg`.
_WITHOUT_SCHEME = re.compile(r"//(?:[a-z0-9-]+\.)+[a-z]{2,}(?::[0-9]+)?/", re.IGNORECASE)


class PhotoFolder:
    """The folder of the photos that a source names.

    A name is a path below the folder, or below `images` or `photos` in it. Where no file has that path, case and the form of
    accents make no difference; and where none has it even then, the name alone is enough if only one file below the folder has it,
    as it is written in addresses (`Gr%C3%BCn.jpg`), or without its ending or with that of another kind of picture.

    Args:
        folder: resolved; None if the source has no files beside it.
        display_path: the folder in messages.
        otherwise: where photos are looked for that are not in it.
        base: the URL that names are relative to, of a source from the web; "" if they are files.
    """

    def __init__(
        self, folder: Path | None, display_path: str, *, otherwise: PhotoFolder | None = None, base: str = ""
    ) -> None:
        self.folder = folder
        self.display_path = display_path
        self._otherwise = otherwise
        self._base = base
        self._index: _FileIndex | None = None

    @classmethod
    def open(cls, folder: Path, *, display_path: str = "", otherwise: PhotoFolder | None = None) -> PhotoFolder:
        """A folder of photos.

        Args:
            folder: any path of it.
            display_path: in messages; by default the resolved path.
            otherwise: where photos are looked for that are not in it.

        Returns:
            The resolved folder.
        """
        return cls(folder.resolve(), display_path or str(folder.resolve()), otherwise=otherwise)

    def resolve(self, name: str) -> PhotoSource:
        """The photo with this name: a path below the folder, or an HTTP(S) URL, which may be relative to that of the source."""
        if is_link(name):
            return PhotoLink(name)
        if not self._base and _WITHOUT_SCHEME.match(name):
            return PhotoLink(f"https:{name}")
        if self._base and "://" not in name:
            # One that cannot be joined is refused where it is fetched.
            with suppress(ValueError):
                return PhotoLink(urljoin(self._base, name.replace("\\", "/")))
        return PhotoFile(name, self)

    def find(self, name: str) -> Path:
        """The path of a photo.

        Args:
            name: as a row has it; a slash at its beginning is the folder of photos.

        Returns:
            The path of a file, with symbolic links resolved, below the folder.

        Raises:
            ImageRejected: there is no such file in the folder, or several.
        """
        try:
            return self._resolved(name, self._find(name))
        except ImageRejected as error:
            if self._otherwise is None:
                raise
            try:
                return self._otherwise.find(name)
            except ImageRejected:
                raise error from None

    def has(self, name: str) -> bool:
        """Whether there is one file with this name, as `find` looks for it."""
        try:
            self.find(name)
        except ImageRejected:
            return False
        return True

    def _resolved(self, name: str, path: Path) -> Path:
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise _unreadable_error(photo_facts.FILE_UNREADABLE(file=name, error=str(reason))) from error
        if self.folder is None or not real.is_relative_to(self.folder):
            raise _unreadable_error(row_facts.LINK_OUTSIDE(file=name))
        if real.is_dir():
            raise _unreadable_error(row_facts.IS_A_FOLDER(file=name))
        return real

    def _find(self, name: str) -> Path:
        if "://" in name:
            raise _unreadable_error(row_facts.NOT_AN_HTTP_URL(link=name))
        if self.folder is None:
            raise _unreadable_error(row_facts.NO_SUCH_FILE(file=name, place=str(self.display_path)))
        # Windows tools write images\1.jpg.
        path = PurePosixPath(name.replace("\\", "/").lstrip("/"))
        if ".." in path.parts or "\x00" in name:
            raise _unreadable_error(row_facts.OUTSIDE_THE_FOLDER(file=name))
        paths = [path, *(PurePosixPath(usual) / path for usual in _USUAL_FOLDERS)]
        for each in paths:
            found = self.folder / each
            try:
                if found.is_file() or found.is_symlink():
                    return found
                if each == path and path.parts and found.is_dir():
                    raise _unreadable_error(row_facts.IS_A_FOLDER(file=name))
            except OSError as error:
                raise _unreadable_error(
                    photo_facts.FILE_UNREADABLE(file=name, error=str(error.strerror or error))
                ) from error
        return self.folder / self._indexed(name, paths)

    def close(self) -> None:
        """Forget what was found in the folder."""
        if self._index is not None:
            self._index.close()
            self._index = None
        if self._otherwise is not None:
            self._otherwise.close()

    def _indexed(self, name: str, paths: Sequence[PurePosixPath]) -> str:
        if self.folder is None or not paths[0].name:
            raise _unreadable_error(row_facts.NO_SUCH_FILE(file=name, place=str(self.display_path)))
        if self._index is None:
            self._index = _FileIndex(self.folder)
        for path in paths:
            if found := self._index.with_path(path):
                return found
        files = self._index.with_name(paths[0].name) or self._index.with_name(unquote(paths[0].name))
        files = files or self._index.with_stem(paths[0].name)
        if not files:
            raise _unreadable_error(row_facts.NO_SUCH_FILE(file=name, place=str(self.display_path)))
        if len(files) > 1:
            listed = ", ".join(files[:_MAX_LISTED])
            raise _unreadable_error(
                row_facts.SEVERAL_FILES(file=paths[0].name, place=str(self.display_path), found=listed)
            )
        return files[0]


class _FileIndex:
    """The files below a folder by their paths and names, without regard to case and the form of accents."""

    def __init__(self, folder: Path) -> None:
        self._database = TemporaryDatabase(
            "CREATE TABLE file (name BLOB, stem BLOB, path BLOB, file BLOB PRIMARY KEY) WITHOUT ROWID",
            contents="photos of the folder",
        )
        self._database.write(
            "INSERT OR IGNORE INTO file VALUES (?, ?, ?, ?)",
            (
                (_key(file.name), _stem(file.name), _key(str(file)), text_key(str(file)))
                for file in islice(_files_below(folder), _MAX_INDEXED)
            ),
        )
        self._database.write("CREATE INDEX file_by_name ON file (name, file)", [()])
        self._database.write("CREATE INDEX file_by_stem ON file (stem, file) WHERE stem IS NOT NULL", [()])
        self._database.write("CREATE INDEX file_by_path ON file (path, file)", [()])

    def with_path(self, path: PurePosixPath) -> str:
        """The file with this path; "" if there is none."""
        found = self._database.first("SELECT file FROM file WHERE path = ? ORDER BY file LIMIT 1", _key(str(path)))
        return key_text(found[0]) if found else ""

    def with_name(self, name: str) -> list[str]:
        """The files with this name."""
        return self._listed("SELECT file FROM file WHERE name = ? ORDER BY file LIMIT 1 OFFSET ?", _key(name))

    def with_stem(self, name: str) -> list[str]:
        """The pictures with this name without its ending, or with that of another kind of picture."""
        stem = _stem(name) or _key(name)
        return self._listed("SELECT file FROM file WHERE stem = ? ORDER BY file LIMIT 1 OFFSET ?", stem)

    def _listed(self, query: str, key: bytes) -> list[str]:
        found = (self._database.first(query, key, number) for number in range(_MAX_LISTED))
        return [key_text(row[0]) for row in found if row]

    def close(self) -> None:
        self._database.close()


def _files_below(folder: Path) -> Iterator[PurePosixPath]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        below = PurePosixPath(parent).relative_to(folder)
        yield from (below / name for name in files if not name.startswith("."))


def folded(name: str) -> str:
    """The name of a file, so that equal ones differ neither in case nor in the form of accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _key(name: str) -> bytes:
    return text_key(folded(name))


def _stem(name: str) -> bytes | None:
    """The key of a picture's name without its ending; None of other files."""
    path = PurePosixPath(name)
    return _key(path.stem) if path.suffix.lower() in SUFFIXES else None


def is_link(name: str) -> bool:
    """Whether the name is an HTTP(S) URL."""
    return name[:8].lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class PhotoLink:
    """A photo on a web server: skipped unless `links.fetch_photos` replaces it by one that it fetches."""

    name: str
    alt: str = ""

    def load(self, known_hashes: Mapping[str, str]) -> LoadedPhoto:  # noqa: ARG002 -- the port's
        raise PhotoSkipped(self.name)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo by its path below the folder of photos."""

    name: str
    photos: PhotoFolder
    alt: str = ""

    def load(self, known_hashes: Mapping[str, str]) -> LoadedPhoto:
        content = self._read()
        if known := known_sha256(content, known_hashes):
            return LoadedPhoto(known)
        photo = validate_photo(content)
        return LoadedPhoto(photo.sha256, photo)

    def check(self) -> None:
        """Check by its first bytes whether the file may be a photo.

        Raises:
            ImageRejected: there is no such file, or it is something else.
        """
        with self.photos.find(self.name).open("rb") as file:
            check_start(file.read(_START_BYTES))

    def _read(self) -> bytes:
        return read_limited(self.photos.find(self.name))


def _unreadable_error(message: str) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.UNREADABLE, message)
