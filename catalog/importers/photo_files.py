"""Photos that a row names are looked for below one folder, and nowhere else; links are left to `links`."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from catalog.importers.rows import PhotoLeftOut, PhotoSource, Taken
from catalog.photos import ImageRejected, Reason, check_photo, read_limited


@dataclass(frozen=True, slots=True)
class Photos:
    """Where the photos are that a source names.

    folder: resolved, without links of its own; None where there are no files besides the source. shown: as messages call it.
    """

    folder: Path | None
    shown: str

    @classmethod
    def below(cls, folder: Path, *, shown: str = "") -> Photos:
        return cls(folder.resolve(), shown or str(folder.resolve()))

    def named(self, name: str) -> PhotoSource:
        """The photo of this name: a file, or a link."""
        return PhotoLink(name) if is_link(name) else PhotoFile(name, self)


def is_link(name: str) -> bool:
    """Whether this names a photo on a web server."""
    return name[:8].lower().startswith(("http://", "https://"))


@dataclass(frozen=True, slots=True)
class PhotoLink:
    """A photo on a web server: left out unless `links.fetched` puts one in its place that is fetched."""

    name: str
    alt: str = ""

    def take(self, known: Collection[str]) -> Taken:  # noqa: ARG002 -- the port's
        raise PhotoLeftOut(self.name)


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo named by its path below the folder of photos."""

    name: str
    photos: Photos
    alt: str = ""

    def take(self, known: Collection[str]) -> Taken:
        content = self._read()
        sha256 = hashlib.sha256(content).hexdigest()
        return Taken(sha256, None if sha256 in known else check_photo(content))

    def _read(self) -> bytes:
        folder = self.photos.folder
        if "://" in self.name:
            raise _unreadable(f"{self.name} is no address that photos are fetched from: use http or https")
        if folder is None:
            raise _unreadable(f"there is no file {self.name} in {self.photos.shown}")
        # Windows tools write images\1.jpg.
        path = PurePosixPath(self.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\x00" in self.name:
            raise _unreadable(f"{self.name} leads out of the folder of photos")
        try:
            real = (folder / path).resolve(strict=True)
        except FileNotFoundError:
            raise _unreadable(f"there is no file {self.name} in {self.photos.shown}") from None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise _unreadable(f"{self.name} cannot be read: {reason}") from error
        if not real.is_relative_to(folder):
            raise _unreadable(f"{self.name} is a link that leads out of the folder of photos")
        if real.is_dir():
            raise _unreadable(f"{self.name} is a folder, not a file")
        return read_limited(real)


def _unreadable(message: str) -> ImageRejected:
    return ImageRejected(Reason.UNREADABLE, message)
