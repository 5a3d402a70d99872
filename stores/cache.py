"""Files of a store on a disk of this machine, by their content, with a limit: those that were not used for longest go first."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import BinaryIO

_FILES, _IN_USE, _SCRATCH = "files", "in-use", "scratch"
# What killed processes have left; longer than any job.
_LEFT_AFTER_S = 7 * 24 * 3600


class FileCache:
    """A folder that all processes of a machine may use at the same time.

    A reader gets a link of its own, so a file that is dropped while it is read stays until the reader is done.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        """Use a folder.

        Args:
            folder: made when it is needed.
            max_bytes: of all files together.
        """
        self._folder = folder
        self._max_bytes = max_bytes

    @contextmanager
    def file(self, key: str, name: str, fetch: Callable[[BinaryIO], None]) -> Iterator[Path]:
        """A file by its content.

        Args:
            key: names the content: a hash.
            name: that the reader's link is to have.
            fetch: writes the content, if it is not there.

        Yields:
            The path of a link that is there until the block ends.

        Raises:
            OSError: the disk does not take the file; or what `fetch` raises.
        """
        with self.folder() as own:
            link, kept = own / name, self._kept(key)
            try:
                link.hardlink_to(kept)
                os.utime(kept)
            except FileNotFoundError:
                if not link.exists():
                    with link.open("wb") as file:
                        fetch(file)
                    self._keep(link, kept)
            yield link

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A folder that is removed when the block ends."""
        in_use = self._folder / _IN_USE
        in_use.mkdir(parents=True, exist_ok=True)
        own = Path(mkdtemp(prefix=f"{os.getpid()}-", dir=in_use))
        try:
            yield own
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def scratch(self) -> Path:
        """A folder for files that are going to be stored."""
        scratch = self._folder / _SCRATCH
        scratch.mkdir(parents=True, exist_ok=True)
        return scratch

    def add(self, key: str, path: Path) -> None:
        """Keep a file that is here already.

        Args:
            key: names its content.
            path: on the same disk; it is a link of the kept file then.
        """
        self._keep(path, self._kept(key))

    def _kept(self, key: str) -> Path:
        files = self._folder / _FILES
        files.mkdir(parents=True, exist_ok=True)
        return files / key

    def _keep(self, path: Path, kept: Path) -> None:
        # Shared by all readers from now on.
        path.chmod(0o440)
        # Another process has fetched it meanwhile, or the file is on another disk.
        with contextlib.suppress(OSError):
            kept.hardlink_to(path)
        self._make_room()

    def _make_room(self) -> None:
        found = []
        for path in (self._folder / _FILES).iterdir():
            with contextlib.suppress(FileNotFoundError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= size
        for left in (*(self._folder / _IN_USE).glob("*"), *(self._folder / _SCRATCH).glob("*")):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime <= _LEFT_AFTER_S:
                    continue
                if left.is_dir() and not _is_running(left.name.partition("-")[0]):
                    shutil.rmtree(left, ignore_errors=True)
                elif left.is_file():
                    left.unlink()


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        # A folder of another kind, or a process of another user.
        return True
    return True
