"""A store that is a folder, which all machines share: files are written beside their place and renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from django.conf import settings
from django.core.files.move import file_move_safe
from django.core.files.storage import FileSystemStorage

from stores.base import FileStore, GrowingFile, StoredFile

_PART = ".part"


class FolderStorage(FileSystemStorage, FileStore):
    """A folder that a setting names."""

    is_local = True

    def __init__(self, root: str, permissions: int | None = None) -> None:
        """Use a folder.

        Args:
            root: name of the setting.
            permissions: of files; None: FILE_UPLOAD_PERMISSIONS.
        """
        super().__init__()
        self._root = root
        self._permissions = permissions

    @property
    def base_location(self) -> str:
        """The folder as the setting has it, which tests change."""
        return str(getattr(settings, self._root))

    @property
    def location(self) -> str:
        """The folder."""
        return os.path.abspath(self.base_location)  # noqa: PTH100  # as Django does: links are not followed

    @property
    def base_url(self) -> str | None:  # type: ignore[override]
        """Where browsers find the files; None for those that are not public."""
        return settings.MEDIA_URL if self._root == "MEDIA_ROOT" else None

    @property
    def place(self) -> str:
        """The folder."""
        return self.base_location

    def put(self, name: str, source: bytes | BinaryIO | Path) -> None:
        target = self._target(name)
        file = tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", suffix=_PART, delete=False)  # noqa: SIM115  # closed in the next lines
        unfinished = Path(file.name)
        with _removed_on_error(unfinished):
            # Closed before it is renamed: a network disk may report only then that it is full.
            with file:
                _copy(source, cast("BinaryIO", file))
            self._finish(unfinished, target)

    def take(self, name: str, path: Path) -> None:
        target = self._target(name)
        part = target.with_name(f"{target.name}{_PART}")
        with _removed_on_error(part):
            file_move_safe(str(path), str(part))
            self._finish(part, target)

    def take_folder(self, folder: str, path: Path) -> None:
        path.rename(self._target(folder))

    def link(self, name: str, other: str) -> None:
        self._target(other).hardlink_to(self.path(name))

    def touch(self, name: str) -> None:
        os.utime(self.path(name))

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        root = Path(self.location)
        for parent, folders, names in os.walk(self.path(folder) if folder else root):
            folders.sort()
            for name in sorted(names):
                path = Path(parent, name)
                # Another process may be deleting it just now.
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield StoredFile(path.relative_to(root).as_posix(), status.st_size, modified_at)

    def is_empty(self, folder: str) -> bool:
        try:
            return not any(Path(self.path(folder)).iterdir())
        except OSError:
            return True

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        path = Path(self.path(name))
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path}")
        yield path

    @contextmanager
    def local_folder(self, folder: str) -> Iterator[Path]:
        path = Path(self.path(folder))
        if not path.is_dir():
            raise FileNotFoundError(f"there is no folder {path}")
        yield path

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.path(folder), ignore_errors=True)

    def scratch(self) -> Path:
        # On the same disk, so that storing a file is a rename.
        root = Path(self.base_location)
        root.mkdir(parents=True, exist_ok=True)
        return root

    @contextmanager
    def growing(self, name: str, kept_bytes: int) -> Iterator[GrowingFile]:
        path = self._target(name)
        if kept_bytes:
            os.truncate(path, kept_bytes)
        yield _InPlace(path, self._permissions or 0o644)

    def begin_parts(self, name: str) -> str:
        self._target(name).touch(mode=self._permissions or 0o644)
        return ""

    def parts_size(self, name: str, key: str) -> int | None:  # noqa: ARG002  # a store with parts of its own has keys
        try:
            return Path(self.path(name)).stat().st_size
        except FileNotFoundError:
            return None

    def append_part(self, name: str, key: str, part: Iterator[bytes], *, missing: int) -> int:  # noqa: ARG002
        kept = 0
        with Path(self.path(name)).open("ab") as file:
            for chunk in part:
                file.write(chunk)
                kept += len(chunk)
        return kept

    def end_parts(self, name: str, key: str) -> None:
        pass

    def abort_parts(self, name: str, key: str) -> None:  # noqa: ARG002
        self.delete(name)

    def _target(self, name: str) -> Path:
        target = Path(self.path(name))
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

    def _finish(self, unfinished: Path, target: Path) -> None:
        unfinished.chmod(self._permissions or settings.FILE_UPLOAD_PERMISSIONS or 0o644)
        unfinished.replace(target)


@dataclass(frozen=True, slots=True)
class _InPlace:
    """A growing file where it is going to be, which all machines see."""

    path: Path
    permissions: int

    def sync(self) -> None:
        pass

    def finish(self) -> None:
        self.path.chmod(self.permissions)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


def _copy(source: bytes | BinaryIO | Path, file: BinaryIO) -> None:
    if isinstance(source, bytes):
        file.write(source)
    elif isinstance(source, Path):
        with source.open("rb") as opened:
            shutil.copyfileobj(opened, file, 1024 * 1024)
    else:
        shutil.copyfileobj(source, file, 1024 * 1024)


@contextmanager
def _removed_on_error(unfinished: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
