"""Products in any XML: elements that are repeated, with a field for each path below them, `images/image` or `@id`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from catalog import facts, file_facts
from catalog.importers.mapping import MULTI_COLUMN_FIELDS, FieldMapping, RowBuilder
from catalog.importers.photo_files import PhotoFolder
from catalog.importers.record_models import model_of_products
from catalog.importers.rows import InvalidSource, Row
from catalog.importers.synonyms import find_columns, is_name_of, with_known_columns
from catalog.importers.xml_items import FeedSyntaxError, Item, XmlFile, rows_of_items

# Items whose paths are the columns; a path that only later ones have can be mapped, too.
_SAMPLE_ITEMS = 500
# Of an element that is taken as the items without being asked: SKU or title, and one more.
_MIN_FIELDS = 2
_MAX_SHOWN = 10
_MODEL = "@model"
# Of Odoo, whose standard price is what a product costs the shop.
_ODOO_MODELS = ("product.template", "product.product")
_ODOO_FIELDS = {"price": "list_price", "description": "description_sale"}
# Fields with several values, each of which may be an element with others in it.
_MIXED_FIELDS = ("category", "image", "tags")


class XmlCatalogue:
    """The rows of an XML file, numbered by item.

    A path is a column. A path that is there several times is a list for categories, tags and photos, and otherwise its first
    value. An element that only has elements has their texts, a line each.

    Args:
        path: the file.
        mapping: how paths become fields; its `item` names the elements that are products.
        photos: folder of the photos that are not links.

    Attributes:
        headers: empty, since it is not a table.
        total: 0, because the number of items is unknown.

    Raises:
        InvalidSource: the file is not XML, or it is not clear which elements are products.
    """

    format = "xml"
    headers: Sequence[str] = ()
    total = 0

    def __init__(self, path: Path, mapping: FieldMapping, *, photos: PhotoFolder) -> None:
        whole = XmlFile(path, encoding=mapping.encoding)
        if whole.root.lower() == "html":
            raise InvalidSource(file_facts.WEB_PAGE())
        item = mapping.item or _find_item(whole)
        self._file = XmlFile(path, item, mapping.encoding)
        sample = self._sample()
        if not sample and mapping.item:
            raise InvalidSource(file_facts.NO_SUCH_ELEMENT(item=item, elements=_elements(whole)))
        mapped = [column for columns in mapping.columns.values() for column in columns]
        self._model = model_of_products(_names_by_model(sample))
        if self._model:
            sample = [each for each in sample if each.text(_MODEL) == self._model]
        self._fields = list(dict.fromkeys(name for each in sample for name in each.fields()))
        paths = list(dict.fromkeys([*self._fields, *(name for each in sample for name in each.names)]))
        self._others = 0
        if self._model in _ODOO_MODELS:
            free = _ODOO_FIELDS.keys() - mapping.columns.keys() - mapping.values.keys()
            mapping = mapping.with_columns(
                [(name, _ODOO_FIELDS[name]) for name in sorted(free) if _ODOO_FIELDS[name] in self._fields]
            )
            mapped = [column for columns in mapping.columns.values() for column in columns]
        names = list(dict.fromkeys([*_without_mixed(paths), *mapped]))
        known = with_known_columns(mapping, names, are_paths=True)
        self._builder = RowBuilder(known.mapping, names, photos=photos)
        self._names = names
        self._several = {
            column
            for name in MULTI_COLUMN_FIELDS
            for column in self._builder.columns.get(name, ())
            if name != "category"
        }
        self._categories = frozenset(self._builder.columns.get("category", ()))
        self._builder.learn(self._record(each) for each in sample)
        self._notes = [facts.EACH_ELEMENT(element=item), *known.notes]

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file."""
        left_out = [facts.EACH_OBJECT(model=self._model, others=self._others)] if self._others else []
        return [*self._notes, *left_out, *self._builder.notes]

    def __iter__(self) -> Iterator[Row]:
        self._others = 0
        return rows_of_items(self._file, self._rows, "@id")

    def _rows(self, number: int, item: Item) -> Iterator[Row]:
        if self._model and item.text(_MODEL) != self._model:
            self._others += 1
        else:
            yield self._builder.build(number, self._record(item))

    def _sample(self) -> list[Item]:
        items: list[Item] = []
        # A fault is reported where the items are read.
        with contextlib.suppress(FeedSyntaxError):
            items.extend(islice(self._file, _SAMPLE_ITEMS))
        return items

    def _record(self, item: Item) -> dict[str, str | Sequence[str]]:
        fields = item.fields() if self._fields else {}
        return {name: self._value(name, fields.get(name) or item.texts(name)) for name in self._names}

    def _value(self, name: str, texts: list[str]) -> str | Sequence[str]:
        if name in self._categories:
            return "\n".join(texts)
        # A single text may be a list in itself.
        return texts if name in self._several and len(texts) > 1 else "".join(texts[:1])


def _names_by_model(items: Sequence[Item]) -> dict[str, set[str]]:
    """The names of the fields of each model, as Odoo's records have one."""
    found: dict[str, set[str]] = {}
    for item in items:
        if model := item.text(_MODEL):
            found.setdefault(model, set()).update(item.fields())
    return found


def _without_mixed(paths: Sequence[str]) -> Iterator[str]:
    """The paths without those of elements whose texts are of several kinds: the names and the numbers of categories."""
    inner: dict[str, set[str]] = {}
    elements = [path for path in paths if "@" not in path]
    parents = {path.rpartition("/")[0] for path in elements}
    for path in elements:
        names = path.split("/")
        if path not in parents:
            for number in range(1, len(names)):
                inner.setdefault("/".join(names[:number]), set()).add(path)
    for path in paths:
        if len(inner.get(path, ())) <= 1 or not is_name_of(path.rpartition("/")[2], *_MIXED_FIELDS):
            yield path


def _find_item(file: XmlFile) -> str:
    """The path of the elements whose children and attributes have the names of most fields, the outermost of them."""
    outline = file.outline()
    scores: dict[str, int] = {}
    for path, children in outline.items():
        fields = find_columns(sorted(children))
        if "/" in path and len(fields) >= _MIN_FIELDS and fields.keys() & {"sku", "title"}:
            scores[path] = len(fields)
    if not scores:
        raise InvalidSource(file_facts.ELEMENT_UNCLEAR(elements=_elements(file)))
    return max(scores, key=lambda path: (scores[path], -path.count("/")))


def _elements(file: XmlFile) -> str:
    """The names of elements that have children, for errors."""
    outline = file.outline()
    names = list(dict.fromkeys(path.rpartition("/")[2] for path, children in outline.items() if children))
    return f"{', '.join(names[:_MAX_SHOWN])}{' ...' if len(names) > _MAX_SHOWN else ''}"
