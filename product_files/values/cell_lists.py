"""Cells with several values: photos, and categories with their levels. Separators are found by themselves unless they are set."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pictures.photos import SUFFIXES
from product_files.product_data import category_slug

# Between links: whatever stands before the next one.
_BETWEEN_LINKS = re.compile(r"[\s,;|]+(?=https?://)", re.IGNORECASE)
_PHOTO_NAME = re.compile(rf".+(?:{'|'.join(map(re.escape, SUFFIXES))})(?:\?\S*)?", re.IGNORECASE)
_BETWEEN_PHOTOS = re.compile(r"[\n|]")
_BETWEEN_NAMES = (re.compile(r"\s*;\s*"), re.compile(r"\s*,\s*"))
# In links commas are characters as others are.
_BEHIND_A_LINK = (re.compile(r";\s+"), re.compile(r",\s+"))

# Between the levels of a category, in the order in which they are looked for.
LEVEL_MARKS = ("->", "=>", ">", "»", "›", "::", "→")
_SLASH = "/"
_MAX_DEPTH = 50
_MAX_LIST_CHARACTERS = 100_000
# Between several categories of a cell.
BETWEEN_CATEGORIES = ("\n", "|", ";")
# Between the last two of an enumeration.
_AND = re.compile(r"\s(?:&|and|und|et|y|e|i|и|та|en|och|og|ja|és|ve|és|și)\s", re.IGNORECASE)
_SLUG_PATH = re.compile(r"[^\W_][\w-]*(?:/[^\W_][\w-]*)+")


def split_photos(text: str, separator: str = "") -> list[str]:
    """The photos that a cell names.

    Args:
        text: of the cell.
        separator: between photos; "" to find it. Line ends and | separate any; names are separated by ; or a comma, too, if each of
            them ends as a photo does; and a link ends before the next one.

    Returns:
        Names and links.
    """
    text = text.strip()
    if separator:
        return _parts(text.split(separator))
    if listed := json_list(text):
        return listed
    return [
        name
        for line in _parts(_BETWEEN_PHOTOS.split(text))
        for part in _parts(_BETWEEN_LINKS.split(line))
        for name in _names(part)
    ]


def first_photo(text: str) -> str:
    """The link or the file that a cell begins with, if it ends as that of a photo does; otherwise ""."""
    first = next(iter(split_photos(text)), "")
    return first if _PHOTO_NAME.fullmatch(first) else ""


@dataclass(frozen=True, slots=True)
class ColumnOfCategories:
    """What the cells of a column of categories show together.

    Attributes:
        roots: names that cells begin with.
        paths: categories that cells have with nothing else. Those around them may be names that others begin with: `Home > Kitchen`
            beside `Home > Kitchen, Dining and Bar`.
        enumerations: names with a comma that several categories have in them: `Laundry, Cleaning & Storage`.
    """

    roots: frozenset[str] = frozenset()
    paths: frozenset[tuple[str, ...]] = frozenset()
    enumerations: frozenset[str] = frozenset()


NO_CELLS = ColumnOfCategories()


def split_categories(
    text: str, separator: str = "", *, slashes: bool = False, column: ColumnOfCategories = NO_CELLS, commas: bool = True
) -> list[list[str]]:
    """The categories that a cell names, each by its names from the root down.

    Args:
        text: of the cell.
        separator: between levels; "" to find it.
        slashes: levels may be separated by slashes.
        column: what its cells show.
        commas: they may be between categories.

    Returns:
        The categories, in the order of the cell.
    """
    listed = json_list(text)
    marks = (separator,) if separator else LEVEL_MARKS
    paths = listed or [text]
    for between in BETWEEN_CATEGORIES:
        if between not in marks:
            paths = [part for path in paths for part in path.split(between)]
    if commas and not listed:
        paths = [part for path in paths for part in _split_at_commas(path, marks, column)]
    return [levels for path in paths if (levels := _levels(path, separator, slashes=slashes))]


def levels_by_slash(texts: Iterable[str]) -> bool:
    """Whether the categories of a column have slashes between their levels: the same first name stands before several others.

    Args:
        texts: of the column.

    Returns:
        False if any of them has another mark between levels.
    """
    below: dict[str, set[str]] = {}
    for text in texts:
        if any(mark in text for mark in LEVEL_MARKS):
            return False
        for path in re.split(r"[\n|;]", text):
            first, _, rest = path.strip().partition(_SLASH)
            if first.strip():
                below.setdefault(first.strip(), set()).add(rest.strip())
    return any(len(rests) > 1 for rests in below.values())


def column_of_categories(texts: Iterable[str]) -> ColumnOfCategories:
    """What the cells of a column of categories show together.

    Args:
        texts: of its cells.

    Returns:
        Nothing where none has a mark between levels.
    """
    roots: set[str] = set()
    paths: set[tuple[str, ...]] = set()
    below: dict[str, set[str]] = {}
    for text in texts:
        if any(mark in text for mark in LEVEL_MARKS):
            roots.update(_levels(text, "", slashes=False)[:1])
        if "," not in text:
            paths.add(tuple(_levels(text, "", slashes=False)))
            continue
        parts = [_levels(part, "", slashes=False) for part in _parts(text.split(","))]
        for one, other in pairwise(parts):
            if _AND.search(other[0]):
                below.setdefault(f"{one[-1]}, {other[0]}", set()).update(other[1:2])
    several = frozenset(name for name, found in below.items() if len(found) > 1)
    return ColumnOfCategories(frozenset(roots), frozenset(paths), several)


def levels_of(key: str, find: Callable[[str], tuple[str, str] | None]) -> list[str]:
    """The levels of a category that is known by a key, as its parent is.

    Args:
        key: of the category.
        find: the name and the parent's key of a category; None if there is no such category.

    Returns:
        The names from the root down, without empty ones; of categories in a circle, each once.
    """
    levels: list[str] = []
    seen: set[str] = set()
    while len(levels) < _MAX_DEPTH and key not in seen and (found := find(key)) is not None:
        seen.add(key)
        name, key = found
        if name:
            levels.insert(0, name)
    return levels


def deepest_first(paths: Iterable[Sequence[str]]) -> list[tuple[str, ...]]:
    """The categories of a product: the deepest first, without those that contain another one of them."""
    found = list(dict.fromkeys(tuple(path) for path in paths if path))
    ancestors = {path[:depth] for path in found for depth in range(1, len(path))}
    return sorted((path for path in found if path not in ancestors), key=lambda path: -len(path))


def _names(text: str) -> list[str]:
    """The names in a text without line ends, which may begin with a link."""
    text = text.rstrip(",; ")
    is_link = text[:8].lower().startswith(("http://", "https://"))
    for mark in _BEHIND_A_LINK if is_link else _BETWEEN_NAMES:
        parts = _parts(mark.split(text))
        if len(parts) > 1 and all(_PHOTO_NAME.fullmatch(part) for part in parts):
            return parts
    return _parts([text])


def _levels(path: str, separator: str, *, slashes: bool) -> list[str]:
    path = path.strip()
    if separator:
        return _parts(path.split(separator))
    for mark in LEVEL_MARKS:
        if mark in path:
            return _parts(path.split(mark))
    if slashes or is_slug_path(path):
        return _parts(path.split(_SLASH))
    return _parts([path])


def _split_at_commas(path: str, marks: Sequence[str], column: ColumnOfCategories) -> list[str]:
    """Commas are between categories only if each part has levels, or is a slug: `Bed, Bath > Towels` is one."""
    parts = _parts(path.split(","))
    if len(parts) < 2 or "," in marks:
        return [path]
    have_levels = all(any(mark in part for mark in marks) for part in parts)
    are_slugs = " " not in path and all(part == category_slug(part) and not part.isdigit() for part in parts)
    if not have_levels:
        return parts if are_slugs else [path]
    joined = parts[:1]
    for part in parts[1:]:
        if _goes_on(joined[-1], part, column):
            joined[-1] += f", {part}"
        else:
            joined.append(part)
    return joined


def _goes_on(before: str, part: str, column: ColumnOfCategories) -> bool:
    """Whether the name in front of a comma goes on behind it: `Home > Laundry, Cleaning & Storage > Tissues`."""
    levels, name = _levels(before, "", slashes=False), _levels(part, "", slashes=False)[0]
    if not _AND.search(name) or name in column.roots:
        return False
    return tuple(levels) not in column.paths or f"{levels[-1]}, {name}" in column.enumerations


def is_slug_path(path: str) -> bool:
    """Whether this is a path of slugs, as products of the catalogue write their category: `home/throws`. path: the text."""
    parts = path.split(_SLASH)
    return bool(_SLUG_PATH.fullmatch(path)) and all(
        part == category_slug(part) and any(each.isalpha() for each in part) for part in parts
    )


def json_list(text: str) -> list[str]:
    """The texts of a list in a cell, as JSON or Python writes it: `["a", "b"]`, `['a', 'b']`; none for other texts."""
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]") and len(text) <= _MAX_LIST_CHARACTERS):
        return []
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        try:
            values = ast.literal_eval(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return []
    return _parts(value for value in values if isinstance(value, str)) if isinstance(values, list) else []


def _parts(texts: Iterable[str]) -> list[str]:
    return [part for text in texts if (part := text.strip())]
