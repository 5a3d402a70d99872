"""Replaces a folder as a whole: it holds what it held, or all that is new."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder beside the one that it replaces at the end; it is deleted if that does not happen.

    Args:
        folder: what is replaced; it may be missing, and so may the folders around it.

    Yields:
        The new folder, empty.

    Raises:
        OSError: a folder cannot be made or renamed.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as temporary:
        made, former = Path(temporary) / "made", Path(temporary) / "former"
        made.mkdir()
        yield made
        try:
            if folder.exists():
                folder.rename(former)
            made.rename(folder)
        finally:
            if former.exists() and not folder.exists():
                former.rename(folder)
