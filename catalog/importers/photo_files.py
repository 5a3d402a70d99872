"""Photos that a row names are looked for below one folder, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from catalog.photos import ImageRejected, Reason, read_limited


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A photo named by its path below `folder` (resolved: without links of its own)."""

    name: str
    folder: Path

    def read(self) -> bytes:
        """The file's content. Raises ImageRejected for a name that leads out of the folder, or to no file."""
        if "://" in self.name:
            raise _unreadable(
                f"{self.name} is an address, not a file: download the photos, name their folder (--images)"
            )
        # Windows tools write images\1.jpg.
        path = PurePosixPath(self.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or "\x00" in self.name:
            raise _unreadable(f"{self.name} leads out of the folder of photos")
        try:
            real = (self.folder / path).resolve(strict=True)
        except FileNotFoundError:
            raise _unreadable(f"there is no file {self.name} in {self.folder}") from None
        except (OSError, RuntimeError) as error:
            raise _unreadable(f"{self.name} cannot be read: {error}") from error
        if not real.is_relative_to(self.folder):
            raise _unreadable(f"{self.name} is a link that leads out of the folder of photos")
        if real.is_dir():
            raise _unreadable(f"{self.name} is a folder, not a file")
        return read_limited(real)


def _unreadable(message: str) -> ImageRejected:
    return ImageRejected(Reason.UNREADABLE, message)
