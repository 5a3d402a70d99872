"""Writes exported files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from django.core.management.base import CommandError


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder, which is made if it does not exist; others in it stay.

    Args:
        folder: The folder.
        files: The text of each file, by its path below the folder.

    Raises:
        CommandError: A file cannot be written.
    """
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{error.filename} cannot be written: {error.strerror}") from error
