"""The categories of an XML file that stand outside of its products, one below the other or one in the other."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field

from product_files.values.category_tree import Category, CategoryTree, category_of, is_named_for_categories
from product_files.xml_files.xml_items import FeedSyntaxError, XmlFile, XmlParser

# Elements below one, whose texts may be its name: `names/name`.
_MAX_LEVELS = 2
_MAX_CHARACTERS = 1000


def category_tree(file: XmlFile, item: str, encoding: str) -> CategoryTree:
    """The categories of a file.

    Args:
        file: as a whole.
        item: name or path of the elements that are products.
        encoding: of the file; "" for the one that it declares.

    Returns:
        A tree without any where there is no list of categories.
    """
    parser = _CategoryParser(item, encoding or None)
    # A fault is reported where the products are read.
    with contextlib.suppress(FeedSyntaxError):
        file.feed(parser, until=lambda: False)
    return CategoryTree(parser.found)


@dataclass(slots=True)
class _Entry:
    """An open element that may be a category. texts: of elements and attributes by their paths below it."""

    depth: int
    texts: dict[str, str] = field(default_factory=dict)
    own: str = ""


class _CategoryParser(XmlParser):
    """Collects categories. found: those that have a number and a name."""

    def __init__(self, item: str, encoding: str | None) -> None:
        super().__init__(encoding)
        self.found: list[Category] = []
        self._item = item.strip("/").split("/")
        self._product_depth = 0
        self._open: list[_Entry] = []

    def start(self, namespace: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 -- the base's
        """An element begins."""
        if self._product_depth:
            return
        if self.path[-len(self._item) :] == self._item:
            self._product_depth = len(self.path)
        elif is_named_for_categories(self.path[-1]):
            named = {f"@{name.rpartition(chr(10))[2]}": text for name, text in attributes.items()}
            self._open.append(_Entry(len(self.path), named))

    def end(self) -> None:
        """An element ends."""
        depth = len(self.path)
        if self._product_depth:
            self._product_depth = 0 if depth == self._product_depth else self._product_depth
        elif self._open and self._open[-1].depth == depth:
            entry = self._open.pop()
            category = category_of({"name": entry.own.strip(), **entry.texts})
            around = (category_of(each.texts).number for each in reversed(self._open))
            if category.number and category.name:
                parent = category.parent or next((number for number in around if number), "")
                self.found.append(Category(category.number, category.name, parent))

    def characters(self, text: str) -> None:
        """Text of an element."""
        if self._product_depth or not self._open:
            return
        entry = self._open[-1]
        below = self.path[entry.depth :]
        if not below:
            entry.own = (entry.own + text)[:_MAX_CHARACTERS]
        elif len(below) <= _MAX_LEVELS:
            name = "/".join(below)
            entry.texts[name] = (entry.texts.get(name, "") + text)[:_MAX_CHARACTERS]
