"""Categories in a list of their own, beside products that name them by their numbers."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from product_files.columns.header_names import key_of
from product_files.columns.synonyms import find_columns, used_columns
from product_files.mapping import FieldMapping, Record
from product_files.values.cell_lists import levels_of

# What shops call the list of categories, and each of them; and what columns that name one have in their names.
NAMES = frozenset(
    (
        "category", "categories", "productcategory", "productcategories", "kategorie", "kategorien", "kategoria", "kategorije",
        "kategori", "kategorier", "categoria", "categorias", "categorie", "rubric", "rubrics", "section", "sections", "group",
        "groups", "productgroup", "productgroups", "warengruppe", "warengruppen", "taxon", "taxons", "collection", "collections",
        "department", "departments", "menus", "menu",
    )
)  # fmt: skip
# Of them, lists in JSON.
CATEGORY_LISTS = (
    "categories",
    "subcategories",
    "sections",
    "groups",
    "collections",
    "menus",
    "departments",
    "kategorien",
)
_OF_CATEGORIES = re.compile("categ|kateg|catid|idcat|rubri|section|group|gruppe|taxon|collection|department|menu")
# Numbers of other things than categories, which lists of few categories have, too.
_OF_OTHERS = re.compile(
    "order|sort|position|rank|count|total|level|depth|item|variant|option|attribut|customer|user|tax|price|shipping|discount"
)
IDS = (
    "id",
    "@id",
    "category_id",
    "categoryId",
    "categoryID",
    "code",
    "@code",
    "@category_id",
    "_id",
    "uid",
    "number",
    "slug",
)
TITLES = ("name", "title", "@name", "@title", "category_name", "categoryName", "label", "caption", "names/name")
PARENTS = (
    "parentId", "@parentId", "parent_id", "@parent_id", "parentID", "@parentID", "parent", "@parent", "parent/id", "parent/@id",
    "parent_category_id", "parentCategoryId", "parent.id",
)  # fmt: skip
# A list that does not fit the memory is no list of categories.
_MAX_CATEGORIES = 100_000
_BETWEEN = re.compile(r"[\s,;|]+")
_NUMBERS, _WORDS = re.compile(r"\d+(?:[\s,;|]+\d+)*"), re.compile(r"[\w\-]{1,40}(?:[\s,;|]+[\w\-]{1,40})*")
_IDENTIFIERS = re.compile("(?:ids?|codes?|refs?|slugs?)$")
_MIN_KNOWN = 0.9


@dataclass(frozen=True, slots=True)
class Category:
    """A category. parent: number of the one that it is in; "" for none."""

    number: str
    name: str
    parent: str = ""


class CategoryTree:
    """The categories of a file by their numbers.

    Args:
        categories: in any order.
    """

    def __init__(self, categories: Iterable[Category] = ()) -> None:
        self._found: dict[str, tuple[str, str]] = {}
        for category in categories:
            if category.number and category.name and len(self._found) < _MAX_CATEGORIES:
                self._found.setdefault(category.number, (category.name, category.parent))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._found)

    def path(self, number: str) -> str:
        """The names of a category and those that it is in, from the root down; "" for an unknown one."""
        return " > ".join(levels_of(number, self._found.get)) if number in self._found else ""

    def columns(self, names: Sequence[str], mapping: FieldMapping, sample: Sequence[Record]) -> list[str]:
        """The columns in which records name these categories.

        Args:
            names: of the columns.
            mapping: fields that have columns already.
            sample: some records.

        Returns:
            Those of categories, by their names, that have nearly nothing else than numbers of these, and are no other field.
        """
        if not self._found:
            return []
        others = {
            column for name, found in find_columns(names, mapping).items() if name != "category" for column in found
        }
        others |= used_columns(mapping)
        return [
            name for name in names if name not in others and _is_of_categories(name) and self._are_known(name, sample)
        ]

    def named(self, record: Record, columns: Iterable[str]) -> Record:
        """The record, in which names stand in place of numbers, each once. columns: as `columns` found them."""
        paths: dict[str, str] = {}
        seen: set[str] = set()
        for column in columns:
            numbers = [number for number in _numbers(record.get(column, "")) if number not in seen]
            seen.update(numbers)
            if column in record:
                found = [path for number in dict.fromkeys(numbers) if (path := self.path(number))]
                # Commas in a list as JSON writes it are in the names.
                has_commas = any("," in path for path in found)
                paths[column] = json.dumps(found) if has_commas else "\n".join(found)
        return {**record, **paths}

    def _are_known(self, column: str, sample: Sequence[Record]) -> bool:
        numbers = [number for record in sample for number in _numbers(record.get(column, ""))]
        known = sum(number in self._found for number in numbers)
        return bool(numbers) and known >= _MIN_KNOWN * len(numbers)


def may_have_numbers(names: Iterable[str], sample: Sequence[Record]) -> bool:
    """Whether a column may name categories by their numbers: one of categories that has digits, or is named for codes."""
    for name in names:
        if _is_of_categories(name):
            texts = [text for record in sample for text in _as_list(record.get(name, "")) if text]
            are_words = bool(_IDENTIFIERS.search(key_of(name))) and all(_WORDS.fullmatch(text) for text in texts)
            if texts and (are_words or all(_NUMBERS.fullmatch(text) for text in texts)):
                return True
    return False


def category_of(values: Mapping[str, str]) -> Category:
    """The category of an entry of a list. values: by names or paths."""
    number, name, parent = (
        next((text for each in names if (text := values.get(each, "").strip())), "") for names in (IDS, TITLES, PARENTS)
    )
    return Category(number, name, "" if parent == number else parent)


def is_named_for_categories(name: str) -> bool:
    """Whether a list of this name, or its entries, may be categories."""
    return key_of(name) in NAMES


def _is_of_categories(name: str) -> bool:
    key = key_of(name)
    return bool(_OF_CATEGORIES.search(key)) and not _OF_OTHERS.search(key)


def _as_list(value: str | Sequence[str]) -> Sequence[str]:
    return [value] if isinstance(value, str) else value


def _numbers(value: str | Sequence[str]) -> Iterator[str]:
    for text in _as_list(value):
        yield from filter(None, _BETWEEN.split(text))
