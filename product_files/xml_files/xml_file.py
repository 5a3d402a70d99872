"""Products in any XML: elements that are repeated, with a field for each path below them, `images/image` or `@id`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from product_files import file_facts, row_facts
from product_files.columns.header_names import key_of, shop_language
from product_files.columns.known_columns import with_known_columns
from product_files.columns.synonyms import BESIDE_PRODUCTS, find_columns, is_name_of
from product_files.json_files.nested_variants import NestedVariants, are_variants, is_named_for_variants
from product_files.json_files.record_models import model_of_products
from product_files.mapping import MULTI_COLUMN_FIELDS, FieldMapping, RowBuilder
from product_files.photo_files import PhotoFolder
from product_files.rows import InvalidSource, Row
from product_files.values.category_tree import CategoryTree, is_named_for_categories, may_have_numbers
from product_files.xml_files.icecat import COLUMNS as ICECAT_COLUMNS
from product_files.xml_files.icecat import ROOT as ICECAT
from product_files.xml_files.icecat import IcecatLanguage
from product_files.xml_files.xml_categories import category_tree
from product_files.xml_files.xml_items import FeedSyntaxError, Item, XmlFile, rows_of_items

# Items whose paths are the columns; a path that only later ones have can be mapped, too.
_SAMPLE_ITEMS = 500
# Fields that products have, and categories do not.
_OF_PRODUCTS = frozenset(("price", "list_price", "currency", "available", "brand"))
# Of an element that is taken as the items without being asked: SKU or title, and one more.
_MIN_FIELDS = 2
# Names of elements that are products, and of what goes with them.
_PRODUCT = re.compile(
    "product|produkt|produit|prodott|produto|articl|artikel|articol|offer|item|goods|товар|urun$|^urun"
)
_OF_OTHERS = re.compile(rf"{BESIDE_PRODUCTS.pattern}|recommend|alternative|customer|client|kunde|component|address")
_MAX_SHOWN = 10
# Attributes that name a language.
_LANGUAGES = ("lang", "language", "locale", "xml:lang", "code")
_MODEL = "@model"
# Of Odoo, whose standard price is what a product costs the shop.
_ODOO_MODELS = ("product.template", "product.product")
_ODOO_FIELDS = {"price": "list_price", "description": "description_sale"}
# Elements whose names and values are none of the product's: stocks of warehouses, flags.
_NO_ATTRIBUTES = re.compile("stock|warehouse|depot|store|flag|price|surcharge|shipping|image|photo", re.IGNORECASE)
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
        place = "" if self._model else _place_of_variants(paths)
        if place:
            self._file = XmlFile(path, item, mapping.encoding, parts=[place])
            sample = self._sample()
            paths = [name for name in paths if name != place and not name.startswith((f"{place}/", f"{place}@"))]
            paths = [name for name in paths if name != place.rpartition("/")[0]]
        self._others = 0
        if self._model in _ODOO_MODELS:
            free = _ODOO_FIELDS.keys() - mapping.columns.keys() - mapping.values.keys()
            mapping = mapping.with_columns(
                [(name, _ODOO_FIELDS[name]) for name in sorted(free) if _ODOO_FIELDS[name] in self._fields]
            )
            mapped = [column for columns in mapping.columns.values() for column in columns]
        if mapping.automatic and whole.root == ICECAT:
            mapping = mapping.with_columns(_icecat_columns(paths, mapping))
            mapped = [column for columns in mapping.columns.values() for column in columns]
        names = list(dict.fromkeys([*_without_mixed(paths), *mapped]))
        texts = [{**{name: each.texts(name) for name in names}, **each.fields()} for each in sample]
        self._tree, self._numbered = CategoryTree(), list[str]()
        if "category" not in {*mapping.columns, *mapping.values} and may_have_numbers(names, texts):
            self._tree = category_tree(whole, item, mapping.encoding)
            self._numbered = self._tree.columns(names, mapping, texts)
        known = with_known_columns(
            mapping,
            names,
            are_paths=True,
            sample=[self._tree.named(each, self._numbered) for each in texts],
            is_filled=self._has_texts_at,
        )
        known = known.with_categories(self._numbered)
        self._place = place
        self._own_names: list[str] = []
        self._variants: NestedVariants | None = None
        if place:
            parts = [part for each in sample for part in each.parts.get(place, ())]
            self._own_names = list(dict.fromkeys(name for part in parts for name in part.names))
            self._variants = NestedVariants(known.mapping, place, list(_without_mixed(self._own_names)))
            known = replace(known, mapping=self._variants.mapping)
        self._builder = RowBuilder(
            known.mapping,
            list(dict.fromkeys([*names, *(self._variants.added if self._variants else ())])),
            photos=photos,
        )
        self._names = names
        self._several = {
            column
            for name in MULTI_COLUMN_FIELDS
            for column in self._builder.columns.get(name, ())
            if name != "category"
        }
        self._in_languages = [
            column
            for name in ("title", "description")
            for column in self._builder.columns.get(name, ())
            if column in names
        ]
        self._icecat = IcecatLanguage(sample) if whole.root == ICECAT else None
        self._several_of_variants = frozenset(self._variants.several if self._variants else ())
        self._categories = frozenset(self._builder.columns.get("category", ()))
        self._builder.learn(record for each in sample for record, _ in self._records(each))
        self._notes = [
            row_facts.EACH_ELEMENT(element=item),
            *known.notes,
            *(self._icecat.notes if self._icecat else ()),
        ]

    @property
    def columns(self) -> Mapping[str, tuple[str, ...]]:
        """Columns of each field."""
        return self._builder.columns

    @property
    def notes(self) -> Sequence[str]:
        """What was found about the file."""
        within = [row_facts.NESTED_VARIANTS(element=self._place)] if self._variants else []
        left_out = [row_facts.EACH_OBJECT(model=self._model, others=self._others)] if self._others else []
        return [*self._notes, *within, *left_out, *self._builder.notes]

    def __iter__(self) -> Iterator[Row]:
        self._others = 0
        return rows_of_items(self._file, self._rows, "@id")

    def _rows(self, number: int, item: Item) -> Iterator[Row]:
        if self._model and item.text(_MODEL) != self._model:
            self._others += 1
            return
        for record, attributes in self._records(item):
            row = self._builder.build(number, record)
            if attributes and row.product is not None:
                found = {**attributes, **row.product.attributes}
                fields = None if row.fields is None else row.fields | {"attributes"}
                row = replace(row, product=replace(row.product, attributes=found), fields=fields)
            yield row

    def _records(self, item: Item) -> Iterator[tuple[Mapping[str, str | Sequence[str]], Mapping[str, str]]]:
        """The record of an item, or those of its variants, each with what it differs in."""
        record = self._record(item)
        if self._variants is None:
            yield record, {}
            return
        parts = item.parts.get(self._place, ())
        own = [{name: part.texts(name) for name in self._own_names} for part in parts]
        singles = [
            {
                name: texts if name in self._several_of_variants and len(texts) > 1 else "".join(texts[:1])
                for name, texts in each.items()
            }
            for each in own
        ]
        records = self._variants.records(record, singles)
        yield from zip(records, [_named_values(part) for part in parts] or [{}], strict=True)

    def _has_texts_at(self, path: str) -> bool:
        # A fault is reported where the items are read.
        with contextlib.suppress(FeedSyntaxError):
            return any(item.text(path) for item in self._file)
        return False

    def _sample(self) -> list[Item]:
        items: list[Item] = []
        # A fault is reported where the items are read.
        with contextlib.suppress(FeedSyntaxError):
            items.extend(islice(self._file, _SAMPLE_ITEMS))
        return items

    def _record(self, item: Item) -> dict[str, str | Sequence[str]]:
        fields = item.fields() if self._fields else {}
        texts = {name: fields.get(name) or item.texts(name) for name in self._names}
        texts |= {name: [text] for name in self._in_languages if (text := _in_shop_language(item, name))}
        if self._icecat is not None:
            texts |= {name: own for name in self._names if (own := self._icecat.texts(item, name))}
        record = {name: self._value(name, found) for name, found in texts.items()}
        return dict(self._tree.named({**record, **{name: texts[name] for name in self._numbered}}, self._numbered))

    def _value(self, name: str, texts: list[str]) -> str | Sequence[str]:
        if name in self._categories:
            return "\n".join(texts)
        # A single text may be a list in itself.
        return texts if name in self._several and len(texts) > 1 else "".join(texts[:1])


def _icecat_columns(paths: Collection[str], mapping: FieldMapping) -> list[tuple[str, str]]:
    """The columns of Icecat that the file has, for fields that have none yet."""
    found = []
    for name, columns in ICECAT_COLUMNS.items():
        if name not in mapping.columns and name not in mapping.values:
            there = [(name, column) for column in columns if column in paths]
            found += there if name in MULTI_COLUMN_FIELDS else there[:1]
    return found


def _in_shop_language(item: Item, path: str) -> str:
    """Of a text in several languages, each in an element that names its own, that of the shop, or else the first; "" for others.

    The element is the text's, the one around it, or the only one in it: `<name><language id="1">`.

    Args:
        item: has the text.
        path: of the text.

    Returns:
        The text.
    """
    texts = item.texts(path)
    inner = [each for each in item.attributed if each.startswith(f"{path}/") and each.count("/") == path.count("/") + 1]
    for place, own in (
        (path, texts),
        (path.rpartition("/")[0], texts),
        *((each, item.texts(each)) for each in inner[:1]),
    ):
        languages = [_language_of(attributes) for attributes, _ in item.attributed.get(place, ())]
        if len(own) > 1 and len(languages) == len(own) and (any(languages) or place in inner):
            return next(
                (text for language, text in zip(languages, own, strict=True) if language == shop_language()), own[0]
            )
    return ""


def _language_of(attributes: Mapping[str, str]) -> str:
    return next((attributes[name][:2].lower() for name in _LANGUAGES if attributes.get(name)), "")


def _place_of_variants(paths: Sequence[str]) -> str:
    """The path of the variants in an item, the outermost one; "" if it has none."""
    below: dict[str, list[str]] = {}
    for path in paths:
        names = path.split("/")
        for number in range(1, len(names)):
            below.setdefault("/".join(names[:number]), []).append("/".join(names[number:]))
    found = (
        place
        for place, columns in below.items()
        if is_named_for_variants(place.rpartition("/")[2]) and are_variants(tuple(columns))
    )
    # Of a list and its entries, whose columns are those of the list one level deeper, the entries.
    places = sorted(found, key=lambda place: place.count("/"))
    return next((place for place in places if not any(_is_list_of(place, other) for other in places)), "")


def _is_list_of(place: str, other: str) -> bool:
    return other.startswith(f"{place}/") and other.count("/") == place.count("/") + 1


def _named_values(part: Item) -> dict[str, str]:
    """The values of elements that have a name each: `<param name="Size">M</param>`, or with its name and value below it."""
    found: dict[str, str] = {}
    for path in part.names:
        parent, _, last = path.rpartition("/")
        if parent and last.casefold() == "name" and not _NO_ATTRIBUTES.search(parent):
            values = next(
                (
                    texts
                    for name in part.names
                    if name.casefold() == f"{parent}/value".casefold()
                    for texts in [part.texts(name)]
                ),
                [],
            )
            names = part.texts(path)
            if len(names) == len(values):
                found |= dict(zip(names, values, strict=True))
    for elements in part.attributed.values():
        found |= {attributes["name"]: text for attributes, text in elements if attributes.get("name") and text}
    return {name.strip().lower(): text for name, text in found.items() if name.strip() and text}


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
    found = {path: find_columns(sorted(children)).keys() for path, children in outline.items() if "/" in path}
    products = {
        path: fields for path, fields in found.items() if len(fields) >= _MIN_FIELDS and fields & {"sku", "title"}
    }
    titled = {path for path, fields in products.items() if "title" in fields}
    # Variants may have more fields than the products that they are in, and so may what goes with a product.
    scores = {
        path: (not _may_be_else(path, fields), len(fields))
        for path, fields in products.items()
        if not _is_within(path, titled) and not any(_goes_with(path, other, products[other]) for other in products)
    }
    best = max(scores, key=lambda path: (*scores[path], -path.count("/")), default="")
    around = (path for path, fields in found.items() if "title" in fields and best.startswith(f"{path}/"))
    if not best or (_is_of_others(best) and any(around)):
        raise InvalidSource(file_facts.ELEMENT_UNCLEAR(elements=_elements(file)))
    return best


def _may_be_else(path: str, fields: Collection[str]) -> bool:
    """Whether elements may be categories, which have numbers, names and pictures, too, or something that goes with products."""
    is_category = is_named_for_categories(path.rpartition("/")[2]) and _OF_PRODUCTS.isdisjoint(fields)
    return is_category or _is_of_others(path)


def _is_of_others(path: str) -> bool:
    """Whether an element, or the list that it is in, has the name of something that goes with products: `shipping`."""
    return any(_OF_OTHERS.search(key_of(name)) for name in path.split("/")[1:][-2:])


def _goes_with(path: str, product: str, fields: Collection[str]) -> bool:
    """Whether elements are in one that is a product: it has a SKU, a title and a price. Groups of products may have them, too."""
    if not path.startswith(f"{product}/") or not {"sku", "title", "price"} <= set(fields):
        return False
    own, around = (_PRODUCT.search(key_of(each.rpartition("/")[2])) for each in (path, product))
    return bool(around) or not own


def _is_within(path: str, products: Collection[str]) -> bool:
    """Whether a path is that of variants in one of these elements."""
    return is_named_for_variants(path.rpartition("/")[2]) and any(path.startswith(f"{each}/") for each in products)


def _elements(file: XmlFile) -> str:
    """The names of elements that have children, for errors."""
    outline = file.outline()
    names = list(dict.fromkeys(path.rpartition("/")[2] for path, children in outline.items() if children))
    return f"{', '.join(names[:_MAX_SHOWN])}{' ...' if len(names) > _MAX_SHOWN else ''}"
