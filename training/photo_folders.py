"""Photos in folders, as the recipes of the bundled encoders read them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image, ImageOps

from pictures.photos import SUFFIXES


def photos_in(folders: Iterable[Path]) -> list[Path]:
    """The photos in folders and the folders below them, in the order of their paths."""
    return sorted(path for folder in folders for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def read_photo(path: Path) -> Image.Image:
    """A photo, RGB, upright."""
    return ImageOps.exif_transpose(Image.open(path)).convert("RGB")
