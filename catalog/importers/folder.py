"""A folder of photos as a catalogue: each photo is a product, each folder a category."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path, PurePosixPath

from catalog.importers.mapping import FieldMapping, RowBuilder
from catalog.importers.photo_files import Photos
from catalog.importers.rows import Row, UnusableSource

# What a mapping may use of each photo, as if they were the columns of a table.
COLUMNS = ("path", "name", "folder", "sku", "title")

_MAX_SKU_CHARACTERS = 120
# A name that says something has a word, and is not what a camera or a program made up.
_WORDS = re.compile(r"[^\W\d_]{3,}")
_MACHINE_MADE = re.compile(
    r"[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}|[0-9a-f]{16,}|(img|dsc|dscf|pxl|image)[-_ ]?[\d_ -]+", re.IGNORECASE
)


class FolderCatalogue:
    """The photos below a folder, in the order of their names.

    The sku is the path below the folder, so that it stays the same from one import to the next; folders in folders are
    the category tree. Hidden files are passed over. A link is followed only where it stays within the folder.
    shown: what messages call the folder. total: how many files there are.
    """

    headers: Sequence[str] = ()

    def __init__(self, path: Path, mapping: FieldMapping, *, shown: str = "") -> None:
        if not path.is_dir():
            raise UnusableSource(f"{path} is not a folder")
        self._folder = path.resolve()
        photos = Photos.below(path, shown=shown)
        told = {*mapping.columns, *mapping.values}
        defaults = {"category": ("folder",), "image": ("path",)}
        columns = {name: columns for name, columns in defaults.items() if name not in told}
        self._builder = RowBuilder(
            FieldMapping(
                columns={**columns, **mapping.columns},
                values=mapping.values,
                category_separator="/",
                image_separator="",
                tag_separator=mapping.tag_separator,
                decimal=mapping.decimal,
            ),
            COLUMNS,
            photos=photos,
            photo_required=True,
        )
        self.total = sum(1 for _ in _files(self._folder))
        if not self.total:
            raise UnusableSource(f"there is no file in {shown or path} or in the folders below it")

    def __iter__(self) -> Iterator[Row]:
        for number, path in enumerate(_files(self._folder), start=1):
            yield self._builder.build(number, _record(path))


def _files(folder: Path, below: PurePosixPath | None = None) -> Iterator[PurePosixPath]:
    """Paths below the folder, one level in memory at a time."""
    below = below or PurePosixPath()
    with os.scandir(folder) as entries:
        found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
    for name, is_folder in found:
        if name.startswith(".") or name in ("Thumbs.db", "__MACOSX"):
            continue
        if is_folder:
            yield from _files(folder / name, below / name)
        else:
            yield below / name


def _record(path: PurePosixPath) -> dict[str, str]:
    folder = "" if path.parent == PurePosixPath() else str(path.parent)
    return {"path": str(path), "name": path.stem, "folder": folder, "sku": _sku(path), "title": _title(path)}


def _sku(path: PurePosixPath) -> str:
    whole = str(path)
    if len(whole) <= _MAX_SKU_CHARACTERS:
        return whole
    digest = sha256(whole.encode("utf-8", errors="surrogateescape")).hexdigest()[:16]
    return f"{whole[: _MAX_SKU_CHARACTERS - 17]}-{digest}"


def _title(path: PurePosixPath) -> str:
    """`red_enamel-mug.jpg` is a "Red enamel mug"; `dress/009b3c31-....jpg` says nothing and is a "Dress 009b3c31"."""
    name = path.stem
    if _WORDS.search(name) and not _MACHINE_MADE.fullmatch(name):
        title = " ".join(re.sub(r"[_\-.]+", " ", name).split())
        return title[:1].upper() + title[1:300]
    kind = path.parent.name.replace("_", " ").replace("-", " ").strip().capitalize() or "Product"
    return f"{kind} {name[:8]}"
