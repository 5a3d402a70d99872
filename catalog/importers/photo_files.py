"""Photos that rows name: files in one folder and nowhere else, and links, which `links` fetches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from catalog.importers.rows import LoadedPhoto, PhotoSkipped, PhotoSource
from catalog.photos import ImageRejected, PhotoRejectionReason, known_sha256, read_limited, validate_photo


@dataclass(frozen=True, slots=True)
class PhotoFolder:
    """The folder of the photos that a source names.

    Attributes:
        folder: resolved; None if the source has no files beside it.
        display_path: the folder in messages.
    """

    folder: Path | None
    display_path: str

    @classmethod
    def open(cls, folder: Path, *, display_path: str = "") -> PhotoFolder:
        """A folder of photos.

        Args:
            folder: any path of it.
            display_path: in messages; by default the resolved path.

        Returns:
            The resolved folder.
        """
        return cls(folder.resolve(), display_path or str(folder.resolve()))

    def resolve(self, name: str) -> PhotoSource:
        """The photo with this name: a path below the folder, or an HTTP(S) URL."""
        return PhotoLink(name) if is_link(name) else PhotoFile(name, self)


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

    def _read(self) -> bytes:
        folder = self.photos.folder
        if "://" in self.name:
            raise _unreadable_error(f"{self.name} is not an HTTP URL: use http or https")
        if folder is None:
            raise _unreadable_error(f"there is no file {self.name} in {self.photos.display_path}")
        # Windows tools write images\1.jpg.
        path = PurePosixPath(self.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\x00" in self.name:
            raise _unreadable_error(f"{self.name} is outside the folder of photos")
        try:
            real = (folder / path).resolve(strict=True)
        except FileNotFoundError:
            raise _unreadable_error(f"there is no file {self.name} in {self.photos.display_path}") from None
        except (OSError, RuntimeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise _unreadable_error(f"{self.name} cannot be read: {reason}") from error
        if not real.is_relative_to(folder):
            raise _unreadable_error(f"{self.name} is a symbolic link to a file outside the folder of photos")
        if real.is_dir():
            raise _unreadable_error(f"{self.name} is a folder, not a file")
        return read_limited(real)


def _unreadable_error(message: str) -> ImageRejected:
    return ImageRejected(PhotoRejectionReason.UNREADABLE, message)
